#include <cstdint>
#include <immintrin.h>

#include "lastbit/runtime/kernels/sets.h"

// A matrix of codes and a vector of integers by vpdpbusd, where the codes are the unsigned bytes.
// Nothing of the standard library is called, as in the other files of one instruction set.

#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vnni,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vnni,avx2,fma")
#endif

namespace lastbit {
namespace {

#include "lastbit/runtime/kernels/avx512vnni_body.h"

// The words of a matrix are read once, as one stream, this far ahead.
constexpr std::size_t kPrefetch = 8192;

// Words of a block that a turn of the loop takes, each with sums of its own: as many sums as are
// needed not to wait for one another.
template <int Bits, std::size_t Width>
constexpr std::size_t kTurnWords = 2 * static_cast<std::size_t>(Bits) / Width;

// Codes are masked off and left where they stand, so each field's sums are 2^(bits * field) too
// large, until they are shifted at the end. A turn adds at most 4 * 255 * 128 to any of them: this
// many turns stay below 2^31.
constexpr std::size_t kMostTurns = 16384;

// One group after the other, for the last ones of a block.
template <int Bits, std::size_t Width>
inline void vector_rest(const std::int8_t* x,
                        std::size_t groups,
                        const std::uint8_t* words,
                        const Tables<Bits>* tables,
                        Sums (&totals)[Width]) noexcept {
  constexpr std::size_t kFields = 8 / Bits;
  constexpr std::uint32_t kLowest = 0x01010101U * ((1U << Bits) - 1U);
#pragma GCC unroll 1
  for (std::size_t g = 0; g < groups; ++g) {
    const Word inputs = splat_inputs(x + g * kGroupInputs);
#pragma GCC unroll 2
    for (std::size_t v = 0; v < Width; ++v) {
      const Word word = load_word(words + (g / kFields * Width + v) * kWordBytes);
      const std::size_t f = g % kFields;
      const Word codes = tables == nullptr ? (word >> static_cast<unsigned>(f * Bits)) & kLowest
                                           : tables->get_any(word, f);
      totals[v] = add_products(totals[v], codes, inputs);
    }
  }
}

template <int Bits, std::size_t Width>
inline void vector_codes(const std::int8_t* x,
                         std::size_t groups,
                         const std::uint8_t* words,
                         std::int32_t* out) noexcept {
  constexpr std::size_t kFields = 8 / Bits;
  constexpr std::size_t kWords = kTurnWords<Bits, Width>;
  constexpr std::uint32_t kLowest = 0x01010101U * ((1U << Bits) - 1U);
  Sums totals[Width] = {};
  while (groups >= kFields * kWords) {
    const std::size_t all = groups / (kFields * kWords);
    const std::size_t turns = all < kMostTurns ? all : kMostTurns;
    groups -= turns * kFields * kWords;
    const std::uint8_t* const end = words + turns * kWords * Width * kWordBytes;
    Sums sums[kWords][Width][kFields] = {};
    while (words != end) {
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kWords; ++i) {
#pragma GCC unroll 2
        for (std::size_t v = 0; v < Width; ++v) {
          __builtin_prefetch(words + kPrefetch);
          const Word word = load_word(words);
#pragma GCC unroll 8
          for (std::size_t f = 0; f < kFields; ++f) {
            sums[i][v][f] = add_products(sums[i][v][f],
                                         word & (kLowest << (f * Bits)),
                                         splat_inputs(x + (i * kFields + f) * kGroupInputs));
          }
          words += kWordBytes;
        }
      }
      x += kWords * kFields * kGroupInputs;
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kWords; ++i) {
#pragma GCC unroll 2
      for (std::size_t v = 0; v < Width; ++v) {
#pragma GCC unroll 8
        for (std::size_t f = 0; f < kFields; ++f) {
          totals[v] += sums[i][v][f] >> static_cast<int>(f * Bits);
        }
      }
    }
  }
  vector_rest<Bits, Width>(x, groups, words, nullptr, totals);
#pragma GCC unroll 2
  for (std::size_t v = 0; v < Width; ++v) store_sums(out + v * kWordOutputs, totals[v]);
}

template <int Bits, std::size_t Width>
inline void vector_values(const std::int8_t* x,
                          std::size_t groups,
                          const std::uint8_t* words,
                          const Tables<Bits>& tables,
                          std::int32_t* out) noexcept {
  constexpr std::size_t kFields = 8 / Bits;
  constexpr std::size_t kWords = 4 / Width * (Bits == 4 ? 2 : 1);
  // Eight sums: no product waits for the last one.
  constexpr std::size_t kParts = 8 / Width;
  Sums sums[kParts][Width] = {};
  for (; groups >= kFields * kWords; groups -= kFields * kWords) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kWords; ++i) {
#pragma GCC unroll 2
      for (std::size_t v = 0; v < Width; ++v) {
        __builtin_prefetch(words + kPrefetch);
        const Word word = load_word(words);
#pragma GCC unroll 8
        for (std::size_t f = 0; f < kFields; ++f) {
          const std::size_t g = i * kFields + f;
          sums[g % kParts][v] = add_products(
              sums[g % kParts][v], tables.get(word, f), splat_inputs(x + g * kGroupInputs));
        }
        words += kWordBytes;
      }
    }
    x += kFields * kWords * kGroupInputs;
  }
  Sums totals[Width] = {};
#pragma GCC unroll 8
  for (std::size_t part = 0; part < kParts; ++part) {
#pragma GCC unroll 2
    for (std::size_t v = 0; v < Width; ++v) totals[v] += sums[part][v];
  }
  vector_rest<Bits, Width>(x, groups, words, &tables, totals);
#pragma GCC unroll 2
  for (std::size_t v = 0; v < Width; ++v) store_sums(out + v * kWordOutputs, totals[v]);
}

template <int Bits, std::size_t Width>
inline void vector_blocks(const std::int8_t* x,
                          std::size_t groups,
                          const std::uint8_t* words,
                          std::size_t blocks,
                          const std::uint8_t* values,
                          std::int32_t* out) noexcept {
  const std::size_t stride = block_bytes(groups, Bits, Width);
  if (values == nullptr) {
    for (std::size_t b = 0; b < blocks; ++b) {
      vector_codes<Bits, Width>(x, groups, words + b * stride, out + b * Width * kWordOutputs);
    }
    return;
  }
  const Tables<Bits> tables(values);
  for (std::size_t b = 0; b < blocks; ++b) {
    vector_values<Bits, Width>(
        x, groups, words + b * stride, tables, out + b * Width * kWordOutputs);
  }
}

template <int Bits>
inline void vector_widths(const std::int8_t* x,
                          std::size_t groups,
                          const WeightBlock& weights,
                          std::size_t blocks,
                          const std::uint8_t* values,
                          std::int32_t* out) noexcept {
  if (weights.width == 2) {
    return vector_blocks<Bits, 2>(x, groups, weights.words, blocks, values, out);
  }
  vector_blocks<Bits, 1>(x, groups, weights.words, blocks, values, out);
}

}  // namespace

void avx512vnni_vector(const std::int8_t* x,
                       std::size_t groups,
                       const WeightBlock& weights,
                       std::size_t blocks,
                       const std::uint8_t* values,
                       std::int32_t* out) noexcept {
  switch (weights.bits) {
    case 1:
      return vector_widths<1>(x, groups, weights, blocks, values, out);
    case 2:
      return vector_widths<2>(x, groups, weights, blocks, values, out);
    default:
      return vector_widths<4>(x, groups, weights, blocks, values, out);
  }
}

}  // namespace lastbit

#if defined(__clang__)
#pragma clang attribute pop
#endif
