// Products of floats with NEON: codes become floats in panels that the first cache holds, which the
// rows of a tile are then multiplied with.

#include "lastbit/runtime/kernels/neon_float.h"

#include <arm_neon.h>

namespace lastbit {
namespace {

constexpr std::size_t kLanes = 4;
// A panel takes 8 KB. Chunks begin with a byte's first field: 32 is a multiple of all their
// numbers.
constexpr std::size_t kChunkGroups = 32;
constexpr std::size_t kPanelFloats = kChunkGroups * kGroupInputs * kWordOutputs;

// Levels of floats by codes, looked up byte by byte.
template <int Bits>
struct Levels {
  uint8x16x4_t table;

  explicit Levels(const float* levels) noexcept {
    for (int i = 0; i < 4; ++i) {
      table.val[i] = vreinterpretq_u8_f32(vld1q_f32(levels + (Bits == 4 ? 4 * i : 0)));
    }
  }
  float32x4_t at(uint8x16_t bytes) const noexcept {
    if constexpr (Bits == 4) return vreinterpretq_f32_u8(vqtbl4q_u8(table, bytes));
    return vreinterpretq_f32_u8(vqtbl1q_u8(table.val[0], bytes));
  }
};

// out[k * kWordOutputs + o], the levels of a column of words.
template <int Bits>
void decode(const WeightBlock& w,
            const std::uint8_t* words,
            std::size_t groups,
            float* out) noexcept {
  const Levels<Bits> levels(w.table);
  const uint8x16_t first = {0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12};
  const uint8x16_t bytes = {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3};
  const uint8x16_t mask = vdupq_n_u8((1U << Bits) - 1U);
  const std::size_t step = static_cast<std::size_t>(w.width) * kWordBytes;
  constexpr std::size_t kFields = 8 / Bits;
  for (std::size_t v = 0; v < kWordOutputs / kLanes; ++v) {
    for (std::size_t g = 0; g < groups; g += kFields) {
      uint8x16_t word = vld1q_u8(words + g / kFields * step + v * sizeof(uint8x16_t));
      const std::size_t left = groups - g;
      for (std::size_t f = 0; f < (left < kFields ? left : kFields); ++f) {
        const uint8x16_t places = vshlq_n_u8(vandq_u8(word, mask), 2);
        word = vshrq_n_u8(word, Bits);
        float* to = out + (g + f) * kGroupInputs * kWordOutputs + v * kLanes;
#pragma GCC unroll 4
        for (std::uint8_t i = 0; i < kGroupInputs; ++i) {
          const uint8x16_t place = vqtbl1q_u8(places, vaddq_u8(first, vdupq_n_u8(i)));
          vst1q_f32(to + i * kWordOutputs, levels.at(vaddq_u8(place, bytes)));
        }
      }
    }
  }
}

template <>
void decode<8>(const WeightBlock& w,
               const std::uint8_t* words,
               std::size_t groups,
               float* out) noexcept {
  for (std::size_t g = 0; g < groups; ++g) {
    const std::uint8_t* word = words + g * static_cast<std::size_t>(w.width) * kWordBytes;
    for (std::size_t i = 0; i < kGroupInputs; ++i) {
      for (std::size_t o = 0; o < kWordOutputs; ++o) {
        *out++ = w.table[word[o * kGroupInputs + i]];
      }
    }
  }
}

// Weights of kWordOutputs outputs: input k of output o is at[k * stride + o].
struct Panel {
  const float* at;
  std::size_t stride;
};

Panel panel_of(const WeightBlock& w,
               std::size_t column,
               std::size_t begin,
               std::size_t groups,
               float* space) noexcept {
  const auto width = static_cast<std::size_t>(w.width);
  if (w.words == nullptr) {
    const std::size_t stride = width * kWordOutputs;
    return {w.floats + begin * kGroupInputs * stride + column * kWordOutputs, stride};
  }
  const std::uint8_t* words = w.words + block_bytes(begin, w.bits, w.width) + column * kWordBytes;
  switch (w.bits) {
    case 1:
      decode<1>(w, words, groups, space);
      break;
    case 2:
      decode<2>(w, words, groups, space);
      break;
    case 4:
      decode<4>(w, words, groups, space);
      break;
    default:
      decode<8>(w, words, groups, space);
  }
  return {space, kWordOutputs};
}

template <std::size_t Input, std::size_t Rows, std::size_t Vecs>
inline void add_inputs(float32x4_t (&sums)[Rows][Vecs],
                       const float32x4_t (&x)[Rows],
                       const float* w,
                       std::size_t stride) noexcept {
  if constexpr (Input < kGroupInputs) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < Vecs; ++v) {
      const float32x4_t weight = vld1q_f32(w + v * kLanes);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < Rows; ++r) {
        sums[r][v] = vfmaq_laneq_f32(sums[r][v], weight, x[r], Input);
      }
    }
    add_inputs<Input + 1>(sums, x, w + stride, stride);
  }
}

// Adds the products of Rows rows to their sums, Vecs vectors of outputs at a time.
template <std::size_t Rows, std::size_t Vecs, typename At>
inline void add_rows(
    At at, std::size_t groups, Panel panel, bool first, float* out, std::size_t stride) noexcept {
  for (std::size_t o = 0; o < kWordOutputs; o += Vecs * kLanes) {
    float32x4_t sums[Rows][Vecs];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (std::size_t v = 0; v < Vecs; ++v) {
        sums[r][v] = first ? vdupq_n_f32(0) : vld1q_f32(out + r * stride + o + v * kLanes);
      }
    }
    for (std::size_t g = 0; g < groups; ++g) {
      float32x4_t x[Rows];
#pragma GCC unroll 8
      for (std::size_t r = 0; r < Rows; ++r) x[r] = vld1q_f32(at(r, g));
      add_inputs<0>(sums, x, panel.at + g * kGroupInputs * panel.stride + o, panel.stride);
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (std::size_t v = 0; v < Vecs; ++v) {
        vst1q_f32(out + r * stride + o + v * kLanes, sums[r][v]);
      }
    }
  }
}

}  // namespace

void neon_tile_float(const Tile<float>& tile, const WeightBlock& weights, float* out) noexcept {
  alignas(64) float space[kPanelFloats];
  const auto width = static_cast<std::size_t>(weights.width);
  const std::size_t stride = width * kWordOutputs;
  for (std::size_t begin = 0; begin < tile.groups; begin += kChunkGroups) {
    const std::size_t left = tile.groups - begin;
    const std::size_t part = left < kChunkGroups ? left : kChunkGroups;
    const bool first = begin == 0;
    for (std::size_t c = 0; c < width; ++c) {
      const Panel panel = panel_of(weights, c, begin, part, space);
      float* sums = out + c * kWordOutputs;
      std::size_t done = 0;
      const auto at = [&](std::size_t r, std::size_t g) {
        return tile.rows[done + r] + tile.offsets[begin + g];
      };
      for (; done + 8 <= tile.count; done += 8) {
        add_rows<8, 2>(at, part, panel, first, sums + done * stride, stride);
      }
      for (; done + 4 <= tile.count; done += 4) {
        add_rows<4, 4>(at, part, panel, first, sums + done * stride, stride);
      }
      for (; done < tile.count; ++done) {
        add_rows<1, 4>(at, part, panel, first, sums + done * stride, stride);
      }
    }
  }
}

void neon_vector_float(const float* x,
                       std::size_t groups,
                       const WeightBlock& weights,
                       std::size_t blocks,
                       float* out) noexcept {
  alignas(64) float space[kPanelFloats];
  const auto width = static_cast<std::size_t>(weights.width);
  WeightBlock block = weights;
  for (std::size_t b = 0; b < blocks; ++b) {
    for (std::size_t c = 0; c < width; ++c, out += kWordOutputs) {
      for (std::size_t begin = 0; begin < groups; begin += kChunkGroups) {
        const std::size_t left = groups - begin;
        const std::size_t part = left < kChunkGroups ? left : kChunkGroups;
        const auto at = [x, begin](std::size_t, std::size_t g) {
          return x + (begin + g) * kGroupInputs;
        };
        const Panel panel = panel_of(block, c, begin, part, space);
        add_rows<1, 4>(at, part, panel, begin == 0, out, 0);
      }
    }
    if (block.words != nullptr) block.words += block_bytes(groups, block.bits, block.width);
    if (block.floats != nullptr) block.floats += groups * kGroupInputs * width * kWordOutputs;
  }
}

}  // namespace lastbit
