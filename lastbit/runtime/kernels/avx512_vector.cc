#include <cstdint>
#include <immintrin.h>

#include "lastbit/runtime/kernels/sets.h"

// A matrix of codes of 1 or 2 bits and a vector of floats: what four bits of weights and their
// inputs come to is looked up. The tables of all 16 cases are made once for each stretch of inputs
// and serve all outputs. As in the other files of one instruction set, nothing of the standard
// library is called.

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx2,fma")
#endif

namespace lastbit {
namespace {

using Vec = float __attribute__((vector_size(kWordBytes)));
using Word = std::uint32_t __attribute__((vector_size(kWordBytes)));

constexpr std::size_t kNibbles = 8;  // of a lane
// Words between two changes of tables, which then take 16 KiB.
constexpr std::size_t kStretch = 32;

inline Vec load(const float* from) noexcept {
  Vec v;
  __builtin_memcpy(&v, from, sizeof(v));
  return v;
}

inline void store(float* to, Vec v) noexcept { __builtin_memcpy(to, &v, sizeof(v)); }

inline Vec look_up(Word codes, Vec table) noexcept {
  return _mm512_maskz_permutexvar_ps(0xFFFF, reinterpret_cast<__m512i>(codes), table);
}

// Lanes whose lowest bits are those from `shift` on, the others anything. Units that multiply have
// time, those that shift also look up: a product with 2^(16 - n) of which the upper half is kept
// moves 16 bits n down.
inline Word moved(Word codes, unsigned shift) noexcept {
  const Word half = shift < 16 ? codes : codes >> 16U;
  if (shift % 16 == 0) return half;
  const Word factor = Word{} + (1U << (16 - shift % 16));
  return reinterpret_cast<Word>(
      _mm512_mulhi_epu16(reinterpret_cast<__m512i>(half), reinterpret_cast<__m512i>(factor)));
}

inline Vec multiply_add(Vec a, Vec b, Vec c) noexcept { return _mm512_fmadd_ps(a, b, c); }

// Tables of the lowest four bits of all bytes, then of the highest, for each of `words` words.
template <int Bits>
inline void make_tables(const float* x,
                        std::size_t groups,
                        std::size_t words,
                        const float* levels,
                        float* tables) noexcept {
  constexpr std::size_t kFields = 4 / Bits;
  constexpr Word kCases = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  Vec level[kFields];
#pragma GCC unroll 4
  for (std::size_t j = 0; j < kFields; ++j) {
    level[j] = look_up(kCases >> static_cast<unsigned>(j * Bits), load(levels));
  }
  for (std::size_t g = 0; g < 2 * words * kFields; g += kFields) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kGroupInputs; ++i) {
      Vec sum = {};
#pragma GCC unroll 4
      for (std::size_t j = 0; j < kFields; ++j) {
        const float input = g + j < groups ? x[(g + j) * kGroupInputs + i] : 0.0F;
        sum = multiply_add(level[j], _mm512_set1_ps(input), sum);
      }
      store(tables, sum);
      tables += kWordOutputs;
    }
  }
}

// Adds a stretch to what the former ones came to.
template <std::size_t Width>
inline void add_stretch(const float* tables,
                        std::size_t count,
                        const std::uint8_t* words,
                        std::size_t stride,
                        bool first,
                        float* out) noexcept {
  constexpr std::size_t kParts = 4;
  const Vec one = _mm512_set1_ps(1.0F);
  Vec sums[kParts][Width] = {};
#pragma GCC unroll 1
  for (std::size_t i = 0; i < count; ++i) {
    Word codes[Width];
#pragma GCC unroll 2
    for (std::size_t v = 0; v < Width; ++v) {
      __builtin_memcpy(&codes[v], words, kWordBytes);
      __builtin_prefetch(words + stride);
      words += kWordBytes;
    }
#pragma GCC unroll 8
    for (std::size_t n = 0; n < kNibbles; ++n) {
      const Vec table = load(tables + n * kWordOutputs);
      const unsigned shift = static_cast<unsigned>(n % 4 * 8 + n / 4 * 4);
#pragma GCC unroll 2
      for (std::size_t v = 0; v < Width; ++v) {
        Vec& sum = sums[n % kParts][v];
        const Vec found = look_up(moved(codes[v], shift), table);
        // Sums and lookups are done by the same units, products by others.
        sum = n % 4 == 0 ? multiply_add(found, one, sum) : sum + found;
      }
    }
    tables += kNibbles * kWordOutputs;
  }
#pragma GCC unroll 2
  for (std::size_t v = 0; v < Width; ++v) {
    const Vec sum = (sums[0][v] + sums[1][v]) + (sums[2][v] + sums[3][v]);
    float* const to = out + v * kWordOutputs;
    store(to, first ? sum : load(to) + sum);
  }
}

template <int Bits, std::size_t Width>
inline void vector_blocks(const float* x,
                          std::size_t groups,
                          const WeightBlock& weights,
                          std::size_t blocks,
                          float* out) noexcept {
  constexpr std::size_t kFields = 8 / Bits;
  alignas(kWordBytes) float tables[kStretch * kNibbles * kWordOutputs];
  const std::size_t stride = block_bytes(groups, Bits, Width);
  const std::size_t words = (groups + kFields - 1) / kFields;
  for (std::size_t from = 0; from < words; from += kStretch) {
    const std::size_t rest = words - from;
    const std::size_t count = rest < kStretch ? rest : kStretch;
    const std::size_t group = from * kFields;
    make_tables<Bits>(x + group * kGroupInputs, groups - group, count, weights.table, tables);
    const std::uint8_t* const at = weights.words + from * Width * kWordBytes;
    for (std::size_t b = 0; b < blocks; ++b) {
      add_stretch<Width>(
          tables, count, at + b * stride, stride, from == 0, out + b * Width * kWordOutputs);
    }
  }
}

}  // namespace

void avx512_few_bits(const float* x,
                     std::size_t groups,
                     const WeightBlock& weights,
                     std::size_t blocks,
                     float* out) noexcept {
  if (weights.bits == 1) {
    if (weights.width == 2) return vector_blocks<1, 2>(x, groups, weights, blocks, out);
    return vector_blocks<1, 1>(x, groups, weights, blocks, out);
  }
  if (weights.width == 2) return vector_blocks<2, 2>(x, groups, weights, blocks, out);
  vector_blocks<2, 1>(x, groups, weights, blocks, out);
}

}  // namespace lastbit

#if defined(__clang__)
#pragma clang attribute pop
#endif
