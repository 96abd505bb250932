#include <cstdint>
#include <immintrin.h>

#include "lastbit/runtime/kernels/sets.h"

// Products by lookup: lookup.h. As in the other files of one instruction set, nothing of the
// standard library is called.

#pragma GCC target("avx512f,avx512dq,avx512bw,avx2,fma")

namespace lastbit {
namespace {

using Vec = float __attribute__((vector_size(kWordBytes)));
using Word = std::uint32_t __attribute__((vector_size(kWordBytes)));

constexpr Word kSign = Word{} + 0x80000000U;
constexpr Word kOne = Word{} + 0x3F800000U;  // the bits of 1.0F

inline Vec load(const float* from) noexcept {
  Vec v;
  __builtin_memcpy(&v, from, sizeof(v));
  return v;
}

inline void store(float* to, Vec v) noexcept { __builtin_memcpy(to, &v, sizeof(v)); }

inline Vec look_up(Word codes, Vec table) noexcept {
  return _mm512_maskz_permutexvar_ps(0xFFFF, reinterpret_cast<__m512i>(codes), table);
}

inline Word turned(Word codes) noexcept {
  return reinterpret_cast<Word>(
      _mm512_maskz_rol_epi32(0xFFFF, reinterpret_cast<__m512i>(codes), kCodeBits));
}

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

// A negated sum is added as its product with -1. In words of a last column its sign is turned
// instead: that takes an instruction more, but leaves the units that multiply to the others.
template <std::size_t Rows, std::size_t Width>
inline void add_lookups(const float* const* rows,
                        const std::int32_t* offsets,
                        std::size_t tables,
                        const std::uint8_t* words,
                        float* out) noexcept {
  constexpr std::size_t kMultiplied = Width == kLookupWords ? Width - 1 : Width;
  const float* table[Rows];
#pragma GCC unroll 4
  for (std::size_t r = 0; r < Rows; ++r) table[r] = rows[r];
  // A constant that the compiler knew would be read from memory in each turn.
  Word sign = kSign;
  __asm__("" : "+v"(sign));
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
      Word factor[Width];
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kMultiplied; ++v) factor[v] = (codes[v] & sign) | kOne;
#pragma GCC unroll 4
      for (std::size_t r = 0; r < Rows; ++r) {
        const Vec of = load(table[r] + offset);
#pragma GCC unroll 4
        for (std::size_t v = 0; v < Width; ++v) {
          const Vec found = look_up(codes[v], of);
          Vec& sum = sums[r][v];
          if (v < kMultiplied) {
            sum = _mm512_fmadd_ps(found, reinterpret_cast<Vec>(factor[v]), sum);
          } else {
            sum += reinterpret_cast<Vec>(reinterpret_cast<Word>(found) ^ (codes[v] & sign));
          }
        }
      }
#pragma GCC unroll 4
      for (std::size_t v = 0; v < Width; ++v) codes[v] = turned(codes[v]);
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

}  // namespace

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
