#include <cstdint>
#include <immintrin.h>

#include "lastbit/runtime/kernels/sets.h"

// Products by lookup: lookup.h. As in the other files of one instruction set, nothing of the
// standard library is called.

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx2,fma")
#endif

namespace lastbit {
namespace {

using Vec = float __attribute__((vector_size(kWordBytes)));
// Bytes that are fetched before they are needed, where words are read once.
constexpr std::size_t kAhead = 2048;

using Word = std::uint32_t __attribute__((vector_size(kWordBytes)));

inline Vec load(const float* from) noexcept {
  Vec v;
  __builtin_memcpy(&v, from, sizeof(v));
  return v;
}

inline void store(float* to, Vec v) noexcept { __builtin_memcpy(to, &v, sizeof(v)); }

// A table and its negative, as one of twice the size, whose indices are codes.
struct BothSigns {
  Vec sums;
  Vec negated;

  BothSigns(const float* table, Word sign) noexcept
      : sums(load(table)), negated(reinterpret_cast<Vec>(reinterpret_cast<Word>(sums) ^ sign)) {}

  // Bits of a lane beyond a code are ignored.
  Vec at(Word codes) const noexcept {
    return _mm512_permutex2var_ps(sums, reinterpret_cast<__m512i>(codes), negated);
  }
};

template <std::size_t Inputs>
inline void make_table(const float* x, const Vec* weights, float* table) noexcept {
  Vec sum = weights[0] * x[0];
#pragma GCC unroll 4
  for (std::size_t j = 1; j < Inputs; ++j) {
    sum = _mm512_fmadd_ps(weights[j], _mm512_set1_ps(x[j]), sum);
  }
  store(table, sum);
}

template <std::size_t Inputs>
inline void make_tables(const TableRequest& request) noexcept {
  struct Weights {
    alignas(kWordBytes) float of[Inputs][kTableSums];
    constexpr Weights() noexcept : of() {
      for (std::size_t j = 0; j < Inputs; ++j) {
        for (std::size_t i = 0; i < kTableSums; ++i) {
          of[j][i] = static_cast<float>(table_weight(Inputs, i, j));
        }
      }
    }
  };
  static constexpr Weights kWeights;
  Vec weights[Inputs];
#pragma GCC unroll 5
  for (std::size_t j = 0; j < Inputs; ++j) weights[j] = load(kWeights.of[j]);
  const std::size_t whole = request.count / Inputs;
  float* to = request.tables;
  for (std::size_t pixel = 0; pixel < request.pixels; ++pixel) {
    const float* x = request.x + pixel * request.stride;
    for (std::size_t i = 0; i < whole; ++i) {
      make_table<Inputs>(x, weights, to);
      x += Inputs;
      to += kTableSums;
    }
    const std::size_t rest = request.count - whole * Inputs;
    if (rest == 0) continue;
    float last[Inputs] = {};
    for (std::size_t j = 0; j < rest; ++j) last[j] = x[j];
    make_table<Inputs>(last, weights, to);
    to += kTableSums;
  }
}

// One sum in four is added as its product with 1: lookups share a unit with additions, and have
// another to themselves that multiplies.
template <std::size_t Rows, std::size_t Width>
inline void add_lookups(const float* const* rows,
                        const std::int32_t* offsets,
                        std::size_t tables,
                        const std::uint8_t* words,
                        float* out) noexcept {
  const float* table[Rows];
#pragma GCC unroll 4
  for (std::size_t r = 0; r < Rows; ++r) table[r] = rows[r];
  Word sign = Word{} + 0x80000000U;
  Vec one = _mm512_set1_ps(1.0F);
  // The compiler would read known constants from memory in each turn.
  __asm__("" : "+v"(sign), "+v"(one));
  Vec sums[Rows][Width] = {};
  for (std::size_t k = 0; k < tables;) {
    Word codes[Width];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < Width; ++v) {
      __builtin_memcpy(&codes[v], words, kWordBytes);
      words += kWordBytes;
    }
    const std::size_t rest = tables - k;
    const std::size_t end = k + (rest < kLaneCodes ? rest : kLaneCodes);
#pragma GCC unroll 1
    for (; k < end; ++k) {
      const std::ptrdiff_t offset = offsets[k];
#pragma GCC unroll 4
      for (std::size_t r = 0; r < Rows; ++r) {
        const BothSigns both(table[r] + offset, sign);
#pragma GCC unroll 4
        for (std::size_t v = 0; v < Width; ++v) {
          const Vec found = both.at(codes[v]);
          Vec& sum = sums[r][v];
          sum = v == Width - 1 ? _mm512_fmadd_ps(found, one, sum) : sum + found;
        }
      }
#pragma GCC unroll 4
      for (std::size_t v = 0; v < Width; ++v) codes[v] >>= kCodeBits;
    }
  }
#pragma GCC unroll 4
  for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < Width; ++v) {
      store(out + (r * Width + v) * kWordOutputs, sums[r][v]);
    }
  }
}

template <std::size_t Width>
inline void add_rows(const Tile<float>& tile, const std::uint8_t* words, float* out) noexcept {
  switch (tile.count) {
    case 1:
      return add_lookups<1, Width>(tile.rows, tile.offsets, tile.groups, words, out);
    case 2:
      return add_lookups<2, Width>(tile.rows, tile.offsets, tile.groups, words, out);
    case 3:
      return add_lookups<3, Width>(tile.rows, tile.offsets, tile.groups, words, out);
    default:
      return add_lookups<4, Width>(tile.rows, tile.offsets, tile.groups, words, out);
  }
}

// `count` tables, at most as many as there are codes in a lane, for the words of two blocks.
inline void add_word(const float* tables,
                     std::size_t count,
                     const std::uint8_t* const* words,
                     Word sign,
                     Vec one,
                     Vec (*sums)[kLookupWords]) noexcept {
  Word codes[kVectorBlocks][kLookupWords];
#pragma GCC unroll 2
  for (std::size_t b = 0; b < kVectorBlocks; ++b) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kLookupWords; ++v) {
      __builtin_memcpy(&codes[b][v], words[b] + v * kWordBytes, kWordBytes);
      __builtin_prefetch(words[b] + v * kWordBytes + kAhead);
    }
  }
#pragma GCC unroll 6
  for (std::size_t n = 0; n < kLaneCodes; ++n) {
    if (n >= count) return;
    const BothSigns both(tables + n * kTableSums, sign);
#pragma GCC unroll 2
    for (std::size_t b = 0; b < kVectorBlocks; ++b) {
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kLookupWords; ++v) {
        const Vec found = both.at(codes[b][v] >> static_cast<unsigned>(n * kCodeBits));
        Vec& sum = sums[b][v];
        sum = v == kLookupWords - 1 ? _mm512_fmadd_ps(found, one, sum) : sum + found;
      }
    }
  }
}

}  // namespace

void avx512_look_up_vector(const float* tables,
                           std::size_t count,
                           const std::uint8_t* words,
                           float* out) noexcept {
  const std::size_t stride = lookup_bytes(count, kLookupWords);
  Word sign = Word{} + 0x80000000U;
  Vec one = _mm512_set1_ps(1.0F);
  __asm__("" : "+v"(sign), "+v"(one));
  Vec sums[kVectorBlocks][kLookupWords] = {};
  const std::uint8_t* of_block[kVectorBlocks] = {words, words + stride};
  std::size_t k = 0;
  for (; k + kLaneCodes <= count; k += kLaneCodes) {
    add_word(tables + k * kTableSums, kLaneCodes, of_block, sign, one, sums);
    of_block[0] += kLookupWords * kWordBytes;
    of_block[1] += kLookupWords * kWordBytes;
  }
  if (k < count) add_word(tables + k * kTableSums, count - k, of_block, sign, one, sums);
#pragma GCC unroll 2
  for (std::size_t b = 0; b < kVectorBlocks; ++b) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kLookupWords; ++v) {
      store(out + (b * kLookupWords + v) * kWordOutputs, sums[b][v]);
    }
  }
}

void avx512_make_tables(const TableRequest& request) noexcept {
  if (request.inputs == kBinaryInputs) return make_tables<kBinaryInputs>(request);
  make_tables<kTernaryInputs>(request);
}

void avx512_look_up(const Tile<float>& tile, const LookupBlock& weights, float* out) noexcept {
  switch (weights.width) {
    case 1:
      return add_rows<1>(tile, weights.words, out);
    case 2:
      return add_rows<2>(tile, weights.words, out);
    case 3:
      return add_rows<3>(tile, weights.words, out);
    default:
      return add_rows<4>(tile, weights.words, out);
  }
}

}  // namespace lastbit

#if defined(__clang__)
#pragma clang attribute pop
#endif
