// Integer products for processors of Arm without dot products: bytes are multiplied to 16 bits and
// summed there, as long as nothing can overflow, before they are added up in 32.

#include <arm_neon.h>

#include "lastbit/runtime/kernels/neon_digits.h"
#include "lastbit/runtime/kernels/neon_float.h"
#include "lastbit/runtime/kernels/sets.h"

namespace lastbit {
namespace {

constexpr std::size_t kVecs = kWordBytes / sizeof(uint8x16_t);
constexpr std::size_t kHalves = 2 * kVecs;
constexpr std::size_t kRows = 2;

// Bytes without a sign, and with one: what differs between the two kernels.
struct Unsigned {
  using Half = uint16x8_t;

  // Groups whose products a lane of 16 bits can hold.
  static std::size_t most_groups(unsigned largest) noexcept {
    return 65535U / (255U * (largest == 0 ? 1U : largest));
  }
  static Half low(Half sum, uint8x16_t w, uint8x16_t x) noexcept {
    return vmlal_u8(sum, vget_low_u8(w), vget_low_u8(x));
  }
  static Half high(Half sum, uint8x16_t w, uint8x16_t x) noexcept {
    return vmlal_high_u8(sum, w, x);
  }
  static uint32x4_t join(Half a, Half b) noexcept {
    return vpaddq_u32(vpaddlq_u16(a), vpaddlq_u16(b));
  }
};

struct Signed {
  using Half = int16x8_t;

  static std::size_t most_groups(unsigned largest) noexcept {
    return 32767U / (128U * (largest == 0 ? 1U : largest));
  }
  static Half low(Half sum, uint8x16_t w, uint8x16_t x) noexcept {
    return vmlal_s8(sum, vreinterpret_s8_u8(vget_low_u8(w)), vreinterpret_s8_u8(vget_low_u8(x)));
  }
  static Half high(Half sum, uint8x16_t w, uint8x16_t x) noexcept {
    return vmlal_high_s8(sum, vreinterpretq_s8_u8(w), vreinterpretq_s8_u8(x));
  }
  static uint32x4_t join(Half a, Half b) noexcept {
    return vreinterpretq_u32_s32(vpaddq_s32(vpaddlq_s16(a), vpaddlq_s16(b)));
  }
};

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

// The sums of Rows rows, and their bases, by a column of words, where `at(r, g)` is where the
// inputs of a group lie.
template <typename Sign, int Bits, std::size_t Rows, typename At>
inline void add_column(At at,
                       std::size_t groups,
                       const std::uint8_t* words,
                       std::size_t word_step,
                       const NeonDigits& digits,
                       const std::uint32_t* bases,
                       std::int32_t* out,
                       std::size_t stride) noexcept {
  constexpr std::size_t kFields = 8 / Bits;
  const uint8x16_t table = vld1q_u8(digits.of);
  const std::size_t most = Sign::most_groups(digits.largest);
  for (std::size_t r = 0; r < Rows; ++r) {
    for (std::size_t v = 0; v < kVecs; ++v) {
      vst1q_s32(out + r * stride + 4 * v, vdupq_n_s32(static_cast<std::int32_t>(bases[r])));
    }
  }
  typename Sign::Half halves[Rows][kHalves] = {};
  const auto flush = [&] {
#pragma GCC unroll 2
    for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVecs; ++v) {
        std::int32_t* to = out + r * stride + 4 * v;
        const uint32x4_t sum = Sign::join(halves[r][2 * v], halves[r][2 * v + 1]);
        vst1q_s32(to, vaddq_s32(vld1q_s32(to), vreinterpretq_s32_u32(sum)));
        halves[r][2 * v] = halves[r][2 * v + 1] = typename Sign::Half{};
      }
    }
  };
  std::size_t held = 0;
  for (std::size_t g = 0; g < groups; g += kFields, words += word_step) {
    uint8x16_t word[kVecs];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVecs; ++v) word[v] = vld1q_u8(words + v * sizeof(uint8x16_t));
    const std::size_t left = groups - g;
    for (std::size_t f = 0; f < (left < kFields ? left : kFields); ++f) {
      uint8x16_t x[Rows];
#pragma GCC unroll 2
      for (std::size_t r = 0; r < Rows; ++r) {
        std::uint32_t group;
        __builtin_memcpy(&group, at(r, g + f), sizeof(group));
        x[r] = vreinterpretq_u8_u32(vdupq_n_u32(group));
      }
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVecs; ++v) {
        const uint8x16_t w = digit<Bits>(word[v], table);
        word[v] = next_field<Bits>(word[v]);
#pragma GCC unroll 2
        for (std::size_t r = 0; r < Rows; ++r) {
          halves[r][2 * v] = Sign::low(halves[r][2 * v], w, x[r]);
          halves[r][2 * v + 1] = Sign::high(halves[r][2 * v + 1], w, x[r]);
        }
      }
      if (++held == most) {
        flush();
        held = 0;
      }
    }
  }
  flush();
}

template <int Bits>
void tile_of(const Tile<std::uint8_t>& tile, const WeightBlock& w, std::int32_t* out) noexcept {
  const NeonDigits digits = digits_of_levels(w);
  const auto width = static_cast<std::size_t>(w.width);
  const std::size_t stride = width * kWordOutputs;
  std::uint32_t bases[kTileRows];
  for (std::size_t r = 0; r < tile.count; ++r) {
    uint32x2_t total = vdup_n_u32(0);
    for (std::size_t g = 0; g < tile.groups; ++g) {
      std::uint32_t group;
      __builtin_memcpy(&group, tile.rows[r] + tile.offsets[g], sizeof(group));
      total = vpadal_u16(total, vpaddl_u8(vreinterpret_u8_u32(vdup_n_u32(group))));
    }
    bases[r] = vget_lane_u32(total, 0) * digits.base;
  }
  for (std::size_t c = 0; c < width; ++c) {
    for (std::size_t begin = 0; begin < tile.count; begin += kRows) {
      const auto at = [&tile, begin](std::size_t r, std::size_t g) {
        return tile.rows[begin + r] + tile.offsets[g];
      };
      const std::uint8_t* words = w.words + c * kWordBytes;
      std::int32_t* sums = out + begin * stride + c * kWordOutputs;
      const auto add = begin + kRows <= tile.count ? add_column<Unsigned, Bits, kRows, decltype(at)>
                                                   : add_column<Unsigned, Bits, 1, decltype(at)>;
      add(at, tile.groups, words, width * kWordBytes, digits, bases + begin, sums, stride);
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
  const NeonDigits digits = digits_of_values(Bits, values);
  std::uint32_t base = 0;
  if (digits.base != 0) {
    for (std::size_t k = 0; k < kGroupInputs * groups; ++k) base += static_cast<unsigned>(x[k]);
    base *= digits.base;
  }
  const auto at = [x](std::size_t, std::size_t g) { return x + kGroupInputs * g; };
  const auto width = static_cast<std::size_t>(weights.width);
  for (std::size_t c = 0; c < blocks * width; ++c) {
    const std::uint8_t* words = weights.words + c % width * kWordBytes +
                                c / width * block_bytes(groups, Bits, weights.width);
    std::int32_t* sums = out + c * kWordOutputs;
    add_column<Signed, Bits, 1>(at, groups, words, width * kWordBytes, digits, &base, sums, 0);
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

const KernelSet& neon_kernels() noexcept {
  static const KernelSet kSet = [] {
    KernelSet set = baseline_kernels();  // whose vectors of four floats are NEON's
    set.name = "neon";
    set.tile_int8 = tile_int8;
    set.vector_int8 = vector_int8;
    set.tile_float = neon_tile_float;
    set.vector_float = neon_vector_float;
    return set;
  }();
  return kSet;
}

}  // namespace lastbit
