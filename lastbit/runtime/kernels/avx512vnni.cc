#include <cstdint>
#include <immintrin.h>

#include "lastbit/runtime/kernels/sets.h"

// Products of integers by vpdpbusd, which adds four products of an unsigned and a signed byte to
// each lane. As in the other files of one instruction set, nothing of the standard library is
// called: a function of its headers compiled under these options could be the copy that the linker
// keeps for all processors.

#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vnni,avx2,fma")

namespace lastbit {
namespace {

using Sums = std::int32_t __attribute__((vector_size(kWordBytes)));
using Word = std::uint32_t __attribute__((vector_size(kWordBytes)));
using Bytes = std::uint8_t __attribute__((vector_size(kWordBytes)));

constexpr Word kNibbles = Word{} + 0x0F0F0F0FU;

inline Word load_word(const std::uint8_t* from) noexcept {
  Word word;
  __builtin_memcpy(&word, from, sizeof(word));
  return word;
}

inline Sums load_sums(const std::int32_t* from) noexcept {
  Sums sums;
  __builtin_memcpy(&sums, from, sizeof(sums));
  return sums;
}

inline void store_sums(std::int32_t* to, Sums sums) noexcept {
  __builtin_memcpy(to, &sums, sizeof(sums));
}

// Four inputs in every lane.
template <typename Input>
inline Word splat_inputs(const Input* from) noexcept {
  std::int32_t four;
  __builtin_memcpy(&four, from, sizeof(four));
  return reinterpret_cast<Word>(_mm512_set1_epi32(four));
}

inline Sums add_products(Sums sums, Word unsigned_bytes, Word signed_bytes) noexcept {
  return reinterpret_cast<Sums>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sums),
                                                    reinterpret_cast<__m512i>(unsigned_bytes),
                                                    reinterpret_cast<__m512i>(signed_bytes)));
}

inline Word shuffle(Word table, Word index) noexcept {
  return reinterpret_cast<Word>(
      _mm512_shuffle_epi8(reinterpret_cast<__m512i>(table), reinterpret_cast<__m512i>(index)));
}

// Tables that turn the four bits at once that a byte is split into to the value of one of the
// codes in them: a field need not be moved to the lowest bits, nor its neighbours masked off.
template <int Bits>
struct Tables {
  static constexpr std::size_t kCount = Bits == 8 ? 1 : 4 / Bits;
  Word of[kCount];

  explicit Tables(const void* values) noexcept {
    if constexpr (Bits == 8) {
      of[0] = Word{};
    } else {
      __m128i lane;
      __builtin_memcpy(&lane, values, sizeof(lane));
      of[0] = reinterpret_cast<Word>(_mm512_maskz_broadcast_i32x4(0xFFFF, lane));
      constexpr Word kBytes = {0x03020100U,
                               0x07060504U,
                               0x0B0A0908U,
                               0x0F0E0D0CU,
                               0x03020100U,
                               0x07060504U,
                               0x0B0A0908U,
                               0x0F0E0D0CU,
                               0x03020100U,
                               0x07060504U,
                               0x0B0A0908U,
                               0x0F0E0D0CU,
                               0x03020100U,
                               0x07060504U,
                               0x0B0A0908U,
                               0x0F0E0D0CU};
#pragma GCC unroll 4
      for (std::size_t i = 1; i < kCount; ++i) {
        const auto index = reinterpret_cast<Word>(reinterpret_cast<Bytes>(kBytes) >>
                                                  static_cast<std::uint8_t>(i * Bits));
        of[i] = shuffle(of[0], index);
      }
    }
  }

  // The values of group `g` of a word.
  Word get(Word word, std::size_t g) const noexcept {
    if constexpr (Bits == 8) {
      return word;
    } else {
      const Word nibbles = (g * Bits % 8 < 4 ? word : word >> 4U) & kNibbles;
      return shuffle(of[g * Bits % 4 / Bits], nibbles);
    }
  }

  // The same for a group known at run time alone.
  Word get_any(Word word, std::size_t g) const noexcept {
    if constexpr (Bits == 8) {
      return word;
    } else {
      return shuffle(of[0], (word >> static_cast<unsigned>(g * Bits)) & kNibbles);
    }
  }
};

template <int Bits, std::size_t Rows, std::size_t Width>
inline void tile_sums(const Tile<std::uint8_t>& tile,
                      const WeightBlock& weights,
                      std::int32_t* out) noexcept {
  // Groups of one turn of the loop, at least four, and of a word.
  constexpr std::size_t kStep = Bits == 1 ? 8 : 4;
  constexpr std::size_t kFields = 8 / Bits;
  // Sums of few rows are kept in several parts, or each product would wait for the last one.
  constexpr std::size_t kParts = Rows * Width > 8 ? 1 : Rows * Width > 4 ? 2 : 4;

  const Tables<Bits> tables(weights.levels);
  const std::uint8_t* x[Rows];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Rows; ++r) x[r] = tile.rows[r];
  const std::int32_t* offsets = tile.offsets;
  const std::uint8_t* words = weights.words;
  Sums sums[kParts][Rows][Width] = {};

  std::size_t rest = tile.groups;
  for (; rest >= kStep; rest -= kStep) {
#pragma GCC unroll 8
    for (std::size_t g = 0; g < kStep; ++g) {
      const auto offset = static_cast<std::size_t>(offsets[g]);
      Word w[Width];
#pragma GCC unroll 2
      for (std::size_t v = 0; v < Width; ++v) {
        w[v] = tables.get(load_word(words + (g / kFields * Width + v) * kWordBytes), g % kFields);
      }
#pragma GCC unroll 8
      for (std::size_t r = 0; r < Rows; ++r) {
        const Word inputs = splat_inputs(x[r] + offset);
#pragma GCC unroll 2
        for (std::size_t v = 0; v < Width; ++v) {
          sums[g % kParts][r][v] = add_products(sums[g % kParts][r][v], inputs, w[v]);
        }
      }
    }
    offsets += kStep;
    words += kStep / kFields * Width * kWordBytes;
  }
#pragma GCC unroll 1
  for (std::size_t g = 0; g < rest; ++g) {
    const auto offset = static_cast<std::size_t>(offsets[g]);
    Word w[Width];
#pragma GCC unroll 2
    for (std::size_t v = 0; v < Width; ++v) {
      w[v] = tables.get_any(load_word(words + (g / kFields * Width + v) * kWordBytes), g % kFields);
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Rows; ++r) {
      const Word inputs = splat_inputs(x[r] + offset);
#pragma GCC unroll 2
      for (std::size_t v = 0; v < Width; ++v) {
        sums[0][r][v] = add_products(sums[0][r][v], inputs, w[v]);
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (std::size_t v = 0; v < Width; ++v) {
      Sums sum = sums[0][r][v];
#pragma GCC unroll 4
      for (std::size_t p = 1; p < kParts; ++p) sum += sums[p][r][v];
      store_sums(out + (r * Width + v) * kWordOutputs, sum);
    }
  }
}

template <int Bits, std::size_t Width>
inline void tile_rows(const Tile<std::uint8_t>& tile,
                      const WeightBlock& weights,
                      std::int32_t* out) noexcept {
  switch (tile.count) {
    case 1:
      return tile_sums<Bits, 1, Width>(tile, weights, out);
    case 2:
      return tile_sums<Bits, 2, Width>(tile, weights, out);
    case 3:
      return tile_sums<Bits, 3, Width>(tile, weights, out);
    case 4:
      return tile_sums<Bits, 4, Width>(tile, weights, out);
    case 5:
      return tile_sums<Bits, 5, Width>(tile, weights, out);
    case 6:
      return tile_sums<Bits, 6, Width>(tile, weights, out);
    case 7:
      return tile_sums<Bits, 7, Width>(tile, weights, out);
    default:
      return tile_sums<Bits, 8, Width>(tile, weights, out);
  }
}

template <int Bits>
inline void tile_widths(const Tile<std::uint8_t>& tile,
                        const WeightBlock& weights,
                        std::int32_t* out) noexcept {
  if (weights.width == 2) return tile_rows<Bits, 2>(tile, weights, out);
  tile_rows<Bits, 1>(tile, weights, out);
}

void tile_int8(const Tile<std::uint8_t>& tile,
               const WeightBlock& weights,
               std::int32_t* out) noexcept {
  switch (weights.bits) {
    case 1:
      return tile_widths<1>(tile, weights, out);
    case 2:
      return tile_widths<2>(tile, weights, out);
    case 4:
      return tile_widths<4>(tile, weights, out);
    default:
      return tile_widths<8>(tile, weights, out);
  }
}

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

void vector_int8(const std::int8_t* x,
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

}  // namespace

const KernelSet& avx512vnni_kernels() noexcept {
  static const KernelSet kSet = [] {
    KernelSet set = avx512_kernels();
    set.name = "avx512vnni";
    set.tile_int8 = tile_int8;
    set.vector_int8 = vector_int8;
    return set;
  }();
  return kSet;
}

}  // namespace lastbit
