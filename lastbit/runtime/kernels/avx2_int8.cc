#include <cstdint>
#include <immintrin.h>

#include "lastbit/runtime/kernels/sets.h"

// Products of integers by vpmaddubsw, which adds two products of an unsigned and a signed byte to
// 16 bits. They are kept so while the levels are small enough for a number of groups, and widened
// to 32 bits then. Nothing of the standard library is called here: a function of its headers
// compiled under these options could be the copy that the linker keeps for all processors.

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif

namespace lastbit {
namespace {

// Half a word: eight outputs.
constexpr std::size_t kHalfBytes = kWordBytes / 2;
constexpr std::size_t kHalfOutputs = kWordOutputs / 2;
constexpr std::size_t kHalves = 2;
using Half = std::uint32_t __attribute__((vector_size(kHalfBytes)));
using Sums = std::int32_t __attribute__((vector_size(kHalfBytes)));
using Shorts = std::int16_t __attribute__((vector_size(kHalfBytes)));

// What two products of an input and a level of magnitude 1 come to at most, and 16 bits hold.
constexpr int kPair = 2 * 255;
constexpr int kLargestShort = 32767;

inline Half load_half(const std::uint8_t* from) noexcept {
  Half half;
  __builtin_memcpy(&half, from, sizeof(half));
  return half;
}

template <typename Input>
inline Half splat_inputs(const Input* from) noexcept {
  std::int32_t four;
  __builtin_memcpy(&four, from, sizeof(four));
  return reinterpret_cast<Half>(_mm256_set1_epi32(four));
}

inline Half splat_table(const void* values) noexcept {
  __m128i lane;
  __builtin_memcpy(&lane, values, sizeof(lane));
  return reinterpret_cast<Half>(_mm256_broadcastsi128_si256(lane));
}

inline Half shuffle(Half table, Half index) noexcept {
  return reinterpret_cast<Half>(
      _mm256_shuffle_epi8(reinterpret_cast<__m256i>(table), reinterpret_cast<__m256i>(index)));
}

inline Shorts pair_products(Half unsigned_bytes, Half signed_bytes) noexcept {
  return reinterpret_cast<Shorts>(_mm256_maddubs_epi16(reinterpret_cast<__m256i>(unsigned_bytes),
                                                       reinterpret_cast<__m256i>(signed_bytes)));
}

inline Sums pair_sums(Shorts a, Shorts b) noexcept {
  return reinterpret_cast<Sums>(
      _mm256_madd_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
}

inline Sums widened(Shorts pairs) noexcept { return pair_sums(pairs, Shorts{} + std::int16_t{1}); }

// The signed bytes of a group of fields of `bits`, which repeat the table or are the bytes.
struct Levels {
  Half table;
  int bits;
  std::size_t fields;
  std::size_t stride;

  Levels(const WeightBlock& w, const void* values) noexcept
      : table(w.bits == 8 ? Half{} : splat_table(values)),
        bits(w.bits),
        fields(8 / static_cast<std::size_t>(w.bits)),
        stride(static_cast<std::size_t>(w.width) * kWordBytes) {}

  Half get(Half codes) const noexcept {
    return bits == 8 ? codes : shuffle(table, codes & 0x0F0F0F0FU);
  }
};

// Groups whose products are added in 16 bits: as many as fit.
inline std::size_t groups_together(int largest) noexcept {
  return largest == 0 ? 64 : static_cast<std::size_t>(kLargestShort / (kPair * largest));
}

enum class Width : std::uint8_t { kShorts, kPairs, kWide };

// The products of one group and of as many rows as there are registers for.
template <Width W, std::size_t Rows>
inline void tile_sums(const std::uint8_t* const* rows,
                      const std::int32_t* offsets,
                      std::size_t groups,
                      const std::uint8_t* words,
                      const Levels& levels,
                      std::size_t together,
                      std::int32_t* out,
                      std::size_t out_stride) noexcept {
  const std::uint8_t* x[Rows];
#pragma GCC unroll 4
  for (std::size_t r = 0; r < Rows; ++r) x[r] = rows[r];
  Sums sums[Rows][kHalves] = {};
  std::size_t g = 0;
  std::size_t field = 0;
  Half codes[kHalves] = {};
  while (g < groups) {
    const std::size_t rest = groups - g;
    const std::size_t end = g + (rest < together ? rest : together);
    Shorts shorts[Rows][kHalves] = {};
    for (; g < end; ++g) {
      if (field == 0) {
        codes[0] = load_half(words);
        codes[1] = load_half(words + kHalfBytes);
        words += levels.stride;
        field = levels.fields;
      }
      --field;
      const auto offset = static_cast<std::size_t>(offsets[g]);
      const Half w[kHalves] = {levels.get(codes[0]), levels.get(codes[1])};
      codes[0] >>= static_cast<unsigned>(levels.bits);
      codes[1] >>= static_cast<unsigned>(levels.bits);
#pragma GCC unroll 4
      for (std::size_t r = 0; r < Rows; ++r) {
        const Half inputs = splat_inputs(x[r] + offset);
#pragma GCC unroll 2
        for (std::size_t h = 0; h < kHalves; ++h) {
          if constexpr (W == Width::kShorts) {
            shorts[r][h] += pair_products(inputs, w[h]);
          } else if constexpr (W == Width::kPairs) {
            sums[r][h] += widened(pair_products(inputs, w[h]));
          } else {
            const auto even = reinterpret_cast<Shorts>(inputs & 0x00FF00FFU);
            const auto odd = reinterpret_cast<Shorts>((inputs >> 8U) & 0x00FF00FFU);
            const auto both = reinterpret_cast<Shorts>(w[h]);
            sums[r][h] += pair_sums(even, static_cast<Shorts>(both << 8) >> 8);
            sums[r][h] += pair_sums(odd, both >> 8);
          }
        }
      }
    }
    if constexpr (W != Width::kShorts) break;
#pragma GCC unroll 4
    for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
      for (std::size_t h = 0; h < kHalves; ++h) sums[r][h] += widened(shorts[r][h]);
    }
  }
#pragma GCC unroll 4
  for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (std::size_t h = 0; h < kHalves; ++h) {
      __builtin_memcpy(out + r * out_stride + h * kHalfOutputs, &sums[r][h], sizeof(Sums));
    }
  }
}

constexpr std::size_t kRowsTogether = 4;

template <Width W>
inline void tile_words(const Tile<std::uint8_t>& tile,
                       const WeightBlock& weights,
                       std::size_t together,
                       std::int32_t* out) noexcept {
  const auto width = static_cast<std::size_t>(weights.width);
  const Levels levels(weights, weights.levels);
  const std::size_t stride = width * kWordOutputs;
  for (std::size_t v = 0; v < width; ++v) {
    const std::uint8_t* const words = weights.words + v * kWordBytes;
    for (std::size_t r = 0; r < tile.count; r += kRowsTogether) {
      const std::uint8_t* const* const x = tile.rows + r;
      std::int32_t* const to = out + r * stride + v * kWordOutputs;
      switch (tile.count - r) {
        case 1:
          tile_sums<W, 1>(x, tile.offsets, tile.groups, words, levels, together, to, stride);
          break;
        case 2:
          tile_sums<W, 2>(x, tile.offsets, tile.groups, words, levels, together, to, stride);
          break;
        case 3:
          tile_sums<W, 3>(x, tile.offsets, tile.groups, words, levels, together, to, stride);
          break;
        default:
          tile_sums<W, 4>(x, tile.offsets, tile.groups, words, levels, together, to, stride);
      }
    }
  }
}

// The same for one result of many outputs: the weights are the unsigned factors.

template <Width W>
inline void vector_word(const std::int8_t* x,
                        std::size_t groups,
                        const std::uint8_t* words,
                        const Levels& levels,
                        Half mask,
                        std::size_t together,
                        std::int32_t* out) noexcept {
  Sums sums[kHalves] = {};
  std::size_t g = 0;
  std::size_t field = 0;
  Half codes[kHalves] = {};
  while (g < groups) {
    const std::size_t rest = groups - g;
    const std::size_t end = g + (rest < together ? rest : together);
    Shorts shorts[kHalves] = {};
    for (; g < end; ++g) {
      if (field == 0) {
        codes[0] = load_half(words);
        codes[1] = load_half(words + kHalfBytes);
        words += levels.stride;
        field = levels.fields;
      }
      --field;
      const Half inputs = splat_inputs(x + g * kGroupInputs);
#pragma GCC unroll 2
      for (std::size_t h = 0; h < kHalves; ++h) {
        const Half w = shuffle(levels.table, codes[h] & mask);
        codes[h] >>= static_cast<unsigned>(levels.bits);
        if constexpr (W == Width::kShorts) {
          shorts[h] += pair_products(w, inputs);
        } else {
          const auto even = reinterpret_cast<Shorts>(w & 0x00FF00FFU);
          const auto odd = reinterpret_cast<Shorts>((w >> 8U) & 0x00FF00FFU);
          const auto both = reinterpret_cast<Shorts>(inputs);
          sums[h] += pair_sums(even, static_cast<Shorts>(both << 8) >> 8);
          sums[h] += pair_sums(odd, both >> 8);
        }
      }
    }
    if constexpr (W != Width::kShorts) break;
    sums[0] += widened(shorts[0]);
    sums[1] += widened(shorts[1]);
  }
  __builtin_memcpy(out, sums, sizeof(sums));
}

constexpr std::uint8_t kCodes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

}  // namespace

void avx2_tile_int8(const Tile<std::uint8_t>& tile,
                    const WeightBlock& weights,
                    std::int32_t* out) noexcept {
  const std::size_t together = groups_together(weights.largest);
  if (together >= 4) return tile_words<Width::kShorts>(tile, weights, together, out);
  if (together >= 1) return tile_words<Width::kPairs>(tile, weights, tile.groups, out);
  tile_words<Width::kWide>(tile, weights, tile.groups, out);
}

void avx2_vector_int8(const std::int8_t* x,
                      std::size_t groups,
                      const WeightBlock& weights,
                      std::size_t blocks,
                      const std::uint8_t* values,
                      std::int32_t* out) noexcept {
  const auto width = static_cast<std::size_t>(weights.width);
  const std::uint8_t* const given = values == nullptr ? kCodes : values;
  const Levels levels(weights, given);
  const unsigned codes = 1U << static_cast<unsigned>(weights.bits);
  int largest = 1;
  for (unsigned i = 0; i < codes; ++i) largest = given[i] > largest ? given[i] : largest;
  const Half mask = Half{} + 0x01010101U * (codes - 1U);
  const auto together = static_cast<std::size_t>(kLargestShort / (2 * 128 * largest));
  const std::size_t bytes = block_bytes(groups, weights.bits, weights.width);
  for (std::size_t b = 0; b < blocks; ++b) {
    for (std::size_t v = 0; v < width; ++v) {
      const std::uint8_t* const words = weights.words + b * bytes + v * kWordBytes;
      std::int32_t* const to = out + (b * width + v) * kWordOutputs;
      if (together >= 1) {
        vector_word<Width::kShorts>(x, groups, words, levels, mask, together, to);
      } else {
        vector_word<Width::kWide>(x, groups, words, levels, mask, groups, to);
      }
    }
  }
}

}  // namespace lastbit

#if defined(__clang__)
#pragma clang attribute pop
#endif
