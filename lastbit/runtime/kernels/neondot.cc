// Integer products by Arm's dot products of four bytes: udot and sdot.

#include <arm_neon.h>

#include "lastbit/runtime/kernels/neon_digits.h"
#include "lastbit/runtime/kernels/sets.h"

#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+dotprod")

namespace lastbit {
namespace {

constexpr std::size_t kVecs = kWordBytes / sizeof(uint8x16_t);
// Rows and vectors of sums that fill half of the registers.
constexpr std::size_t kRows = 4;

inline std::uint32_t load_group(const std::uint8_t* from) noexcept {
  std::uint32_t group;
  __builtin_memcpy(&group, from, sizeof(group));
  return group;
}

// The field in the lowest bits of each byte.
template <int Bits>
inline uint8x16_t digit(uint8x16_t word, uint8x16_t table) noexcept {
  if constexpr (Bits == 8) return veorq_u8(word, vdupq_n_u8(0x80));
  return vqtbl1q_u8(table, vandq_u8(word, vdupq_n_u8((1U << Bits) - 1U)));
}

template <int Bits>
inline uint8x16_t next_field(uint8x16_t word) noexcept {
  if constexpr (Bits == 8) return word;
  return vshrq_n_u8(word, Bits);
}

template <std::size_t Row, std::size_t Rows>
inline void add_row(uint32x4_t (&sums)[Rows][kVecs],
                    const uint8x16_t (&w)[kVecs],
                    uint8x16_t x) noexcept {
  if constexpr (Row < Rows) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVecs; ++v) {
      sums[Row][v] = vdotq_laneq_u32(sums[Row][v], w[v], x, Row);
    }
    add_row<Row + 1>(sums, w, x);
  }
}

// A vector of the same group of all rows.
template <std::size_t Row, std::size_t Rows>
inline uint32x4_t gather(const std::uint8_t* const* rows, std::size_t at, uint32x4_t x) noexcept {
  if constexpr (Row < Rows) {
    x = gather<Row + 1, Rows>(rows, at, vsetq_lane_u32(load_group(rows[Row] + at), x, Row));
  }
  return x;
}

template <int Bits, std::size_t Rows>
inline void add_tile(const std::uint8_t* const* rows,
                     const Tile<std::uint8_t>& tile,
                     const std::uint8_t* words,
                     std::size_t word_step,
                     const NeonDigits& digits,
                     std::int32_t* out,
                     std::size_t stride) noexcept {
  constexpr std::size_t kFields = 8 / Bits;
  const uint8x16_t table = vld1q_u8(digits.of);
  const uint8x16_t ones = vdupq_n_u8(1);
  uint32x4_t sums[Rows][kVecs] = {};
  uint32x4_t totals = vdupq_n_u32(0);  // of the inputs, a lane a row
  for (std::size_t g = 0; g < tile.groups; g += kFields, words += word_step) {
    uint8x16_t word[kVecs];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVecs; ++v) word[v] = vld1q_u8(words + v * sizeof(uint8x16_t));
    const std::size_t left = tile.groups - g;
    for (std::size_t f = 0; f < (left < kFields ? left : kFields); ++f) {
      const auto offset = static_cast<std::size_t>(tile.offsets[g + f]);
      const uint8x16_t x = vreinterpretq_u8_u32(gather<0, Rows>(rows, offset, vdupq_n_u32(0)));
      totals = vdotq_u32(totals, x, ones);
      uint8x16_t w[kVecs];
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVecs; ++v) {
        w[v] = digit<Bits>(word[v], table);
        word[v] = next_field<Bits>(word[v]);
      }
      add_row<0>(sums, w, x);
    }
  }
  std::uint32_t total[4];
  vst1q_u32(total, vmulq_n_u32(totals, digits.base));
#pragma GCC unroll 4
  for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVecs; ++v) {
      const uint32x4_t sum = vaddq_u32(sums[r][v], vdupq_n_u32(total[r]));
      vst1q_s32(out + r * stride + 4 * v, vreinterpretq_s32_u32(sum));
    }
  }
}

template <int Bits>
void tile_of(const Tile<std::uint8_t>& tile, const WeightBlock& w, std::int32_t* out) noexcept {
  const NeonDigits digits = digits_of_levels(w);
  const auto width = static_cast<std::size_t>(w.width);
  const std::size_t stride = width * kWordOutputs;
  for (std::size_t c = 0; c < width; ++c) {
    const std::uint8_t* words = w.words + c * kWordBytes;
    const std::size_t step = width * kWordBytes;
    std::int32_t* sums = out + c * kWordOutputs;
    std::size_t r = 0;
    for (; r + kRows <= tile.count; r += kRows) {
      add_tile<Bits, kRows>(tile.rows + r, tile, words, step, digits, sums + r * stride, stride);
    }
    if (r + 2 <= tile.count) {
      add_tile<Bits, 2>(tile.rows + r, tile, words, step, digits, sums + r * stride, stride);
      r += 2;
    }
    if (r < tile.count) {
      add_tile<Bits, 1>(tile.rows + r, tile, words, step, digits, sums + r * stride, stride);
    }
  }
}

void tile_int8(const Tile<std::uint8_t>& tile,
               const WeightBlock& weights,
               std::int32_t* out) noexcept {
  switch (weights.bits) {
    case 1:
      return tile_of<1>(tile, weights, out);
    case 2:
      return tile_of<2>(tile, weights, out);
    case 4:
      return tile_of<4>(tile, weights, out);
    default:
      return tile_of<8>(tile, weights, out);
  }
}

template <int Bits>
void vector_of(const std::int8_t* x,
               std::size_t groups,
               const WeightBlock& weights,
               std::size_t blocks,
               const std::uint8_t* values,
               std::int32_t* out) noexcept {
  constexpr std::size_t kFields = 8 / Bits;
  const NeonDigits digits = digits_of_values(Bits, values);
  const uint8x16_t table = vld1q_u8(digits.of);
  std::uint32_t total = 0;
  if (digits.base != 0) {
    for (std::size_t k = 0; k < kGroupInputs * groups; ++k) total += static_cast<unsigned>(x[k]);
  }
  const auto base = vdupq_n_s32(static_cast<std::int32_t>(total * digits.base));
  const auto width = static_cast<std::size_t>(weights.width);
  for (std::size_t column = 0; column < blocks * width; ++column) {
    const std::uint8_t* words = weights.words + column % width * kWordBytes +
                                column / width * block_bytes(groups, Bits, weights.width);
    int32x4_t sums[kVecs] = {base, base, base, base};
    for (std::size_t g = 0; g < groups; g += kFields, words += width * kWordBytes) {
      uint8x16_t word[kVecs];
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVecs; ++v) word[v] = vld1q_u8(words + v * sizeof(uint8x16_t));
      const std::size_t left = groups - g;
      for (std::size_t f = 0; f < (left < kFields ? left : kFields); ++f) {
        std::int32_t group;
        __builtin_memcpy(&group, x + kGroupInputs * (g + f), sizeof(group));
        const int8x16_t input = vreinterpretq_s8_s32(vdupq_n_s32(group));
#pragma GCC unroll 4
        for (std::size_t v = 0; v < kVecs; ++v) {
          sums[v] = vdotq_s32(sums[v], vreinterpretq_s8_u8(digit<Bits>(word[v], table)), input);
          word[v] = next_field<Bits>(word[v]);
        }
      }
    }
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVecs; ++v) vst1q_s32(out + column * kWordOutputs + 4 * v, sums[v]);
  }
}

void vector_int8(const std::int8_t* x,
                 std::size_t groups,
                 const WeightBlock& weights,
                 std::size_t blocks,
                 const std::uint8_t* values,
                 std::int32_t* out) noexcept {
  switch (weights.bits) {
    case 1:
      return vector_of<1>(x, groups, weights, blocks, values, out);
    case 2:
      return vector_of<2>(x, groups, weights, blocks, values, out);
    default:
      return vector_of<4>(x, groups, weights, blocks, values, out);
  }
}

}  // namespace

#pragma GCC pop_options

const KernelSet& neondot_kernels() noexcept {
  static const KernelSet kSet = [] {
    KernelSet set = neon_kernels();
    set.name = "neondot";
    set.tile_int8 = tile_int8;
    set.vector_int8 = vector_int8;
    return set;
  }();
  return kSet;
}

}  // namespace lastbit
