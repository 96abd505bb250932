#include <cmath>

#include "lastbit/runtime/kernels/sets.h"

namespace lastbit {
namespace {

float apply(Activation activation, float x) noexcept {
  switch (activation.kind) {
    case Activation::Kind::kNone:
      return x;
    case Activation::Kind::kRelu:
      return x < 0.0F ? 0.0F : x;
    case Activation::Kind::kClip: {
      const float low = x < activation.least ? activation.least : x;
      return low > activation.most ? activation.most : low;
    }
    case Activation::Kind::kLeakyRelu:
      return x < 0.0F ? activation.slope * x : x;
    case Activation::Kind::kSigmoid:
      return 1.0F / (1.0F + std::exp(-x));
    case Activation::Kind::kTanh:
      return std::tanh(x);
  }
  return x;
}

void activate(Activation activation, float* values, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) values[i] = apply(activation, values[i]);
}

// The field of output o (of the block) and input 4 * g + i.
std::uint8_t field(const WeightBlock& w, std::size_t o, std::size_t g, std::size_t i) {
  const auto bits = static_cast<std::size_t>(w.bits);
  const auto width = static_cast<std::size_t>(w.width);
  const std::size_t fields = 8 / bits;
  const std::size_t word = g / fields * width + o / kWordOutputs;
  const unsigned byte = w.words[word * kWordBytes + o % kWordOutputs * kGroupInputs + i];
  return static_cast<std::uint8_t>((byte >> (g % fields * bits)) & ((1U << bits) - 1U));
}

std::size_t outputs_of(const WeightBlock& w) {
  return static_cast<std::size_t>(w.width) * kWordOutputs;
}

// The block that lies `index` blocks on.
WeightBlock block_at(const WeightBlock& first, std::size_t groups, std::size_t index) {
  WeightBlock block = first;
  if (first.words != nullptr) block.words += index * block_bytes(groups, first.bits, first.width);
  if (first.floats != nullptr) block.floats += index * groups * kGroupInputs * outputs_of(first);
  return block;
}

float float_level(const WeightBlock& w, std::size_t o, std::size_t g, std::size_t i) {
  if (w.words == nullptr) return w.floats[(g * kGroupInputs + i) * outputs_of(w) + o];
  return w.table[field(w, o, g, i)];
}

void tile_int8(const Tile<std::uint8_t>& tile,
               const WeightBlock& weights,
               std::int32_t* out) noexcept {
  for (std::size_t r = 0; r < tile.count; ++r) {
    for (std::size_t o = 0; o < outputs_of(weights); ++o) {
      std::int32_t sum = 0;
      for (std::size_t g = 0; g < tile.groups; ++g) {
        for (std::size_t i = 0; i < kGroupInputs; ++i) {
          const std::uint8_t code = field(weights, o, g, i);
          const std::int8_t level =
              weights.bits == 8 ? static_cast<std::int8_t>(code) : weights.levels[code];
          sum += level * tile.rows[r][static_cast<std::size_t>(tile.offsets[g]) + i];
        }
      }
      out[r * outputs_of(weights) + o] = sum;
    }
  }
}

void tile_float(const Tile<float>& tile, const WeightBlock& weights, float* out) noexcept {
  for (std::size_t r = 0; r < tile.count; ++r) {
    for (std::size_t o = 0; o < outputs_of(weights); ++o) {
      float sum = 0.0F;
      for (std::size_t g = 0; g < tile.groups; ++g) {
        for (std::size_t i = 0; i < kGroupInputs; ++i) {
          sum += float_level(weights, o, g, i) *
                 tile.rows[r][static_cast<std::size_t>(tile.offsets[g]) + i];
        }
      }
      out[r * outputs_of(weights) + o] = sum;
    }
  }
}

void vector_int8(const std::int8_t* x,
                 std::size_t groups,
                 const WeightBlock& weights,
                 std::size_t blocks,
                 const std::uint8_t* values,
                 std::int32_t* out) noexcept {
  for (std::size_t b = 0; b < blocks; ++b) {
    const WeightBlock block = block_at(weights, groups, b);
    for (std::size_t o = 0; o < outputs_of(weights); ++o) {
      std::int32_t sum = 0;
      for (std::size_t k = 0; k < groups * kGroupInputs; ++k) {
        const std::uint8_t code = field(block, o, k / kGroupInputs, k % kGroupInputs);
        sum += (values == nullptr ? code : values[code]) * x[k];
      }
      out[b * outputs_of(weights) + o] = sum;
    }
  }
}

void vector_float(const float* x,
                  std::size_t groups,
                  const WeightBlock& weights,
                  std::size_t blocks,
                  float* out) noexcept {
  for (std::size_t b = 0; b < blocks; ++b) {
    const WeightBlock block = block_at(weights, groups, b);
    for (std::size_t o = 0; o < outputs_of(weights); ++o) {
      float sum = 0.0F;
      for (std::size_t k = 0; k < groups * kGroupInputs; ++k) {
        sum += float_level(block, o, k / kGroupInputs, k % kGroupInputs) * x[k];
      }
      out[b * outputs_of(weights) + o] = sum;
    }
  }
}

void finish_one(float sum, float scale, const Finish& finish, std::size_t r, std::size_t o) {
  const std::size_t at = r * finish.stride + o;
  float value = scale * sum + finish.bias[o];
  if (finish.residual != nullptr) value += finish.residual[at];
  value = apply(finish.activation, value);
  if (finish.bytes == nullptr) {
    finish.out[at] = value;
  } else {
    finish.bytes[at] = static_cast<std::uint8_t>(std::nearbyint(value));
  }
}

void finish_float(const float* sums, const Finish& finish) noexcept {
  for (std::size_t r = 0; r < finish.count; ++r) {
    for (std::size_t o = 0; o < finish.outputs; ++o) {
      finish_one(sums[r * finish.sums_stride + o], finish.scale[o], finish, r, o);
    }
  }
}

void finish_int8(const std::int32_t* sums,
                 const std::int32_t* offsets,
                 float input_scale,
                 const Finish& finish) noexcept {
  for (std::size_t r = 0; r < finish.count; ++r) {
    for (std::size_t o = 0; o < finish.outputs; ++o) {
      const std::int32_t offset = offsets == nullptr ? 0 : offsets[o];
      const auto sum = static_cast<float>(sums[r * finish.sums_stride + o] - offset);
      finish_one(sum, input_scale * finish.scale[o], finish, r, o);
    }
  }
}

template <typename Input>
void filter(const ChannelFilter<Input>& filter, const Finish& finish) noexcept {
  for (std::size_t r = 0; r < finish.count; ++r) {
    for (std::size_t c = 0; c < finish.outputs; ++c) {
      float sum = 0.0F;
      for (std::size_t y = 0; y < filter.height; ++y) {
        for (std::size_t x = 0; x < filter.width; ++x) {
          const float weight = filter.weights[(y * filter.width + x) * finish.outputs + c];
          const Input* pixel = filter.pixels[y * filter.row + r * filter.step + x];
          sum += weight * static_cast<float>(pixel[c]);
        }
      }
      finish_one(sum, 1.0F, finish, r, c);
    }
  }
}

void largest(const ChannelWindow& window,
             std::size_t count,
             std::size_t channels,
             float* out) noexcept {
  for (std::size_t r = 0; r < count; ++r) {
    for (std::size_t c = 0; c < channels; ++c) {
      float most = window.inputs[0][r * window.step + c];
      for (std::size_t t = 1; t < window.taps; ++t) {
        const float x = window.inputs[t][r * window.step + c];
        most = x > most ? x : most;
      }
      out[r * channels + c] = most;
    }
  }
}

Range range(const float* values, std::size_t count) noexcept {
  Range result = {.least = values[0], .most = values[0]};
  for (std::size_t i = 1; i < count; ++i) {
    result.least = values[i] < result.least ? values[i] : result.least;
    result.most = values[i] > result.most ? values[i] : result.most;
  }
  return result;
}

void quantize(const float* values,
              std::size_t count,
              Quantization quantization,
              std::uint8_t* out) noexcept {
  const auto zero = static_cast<float>(quantization.zero);
  for (std::size_t i = 0; i < count; ++i) {
    const float rounded = std::nearbyint(values[i] * quantization.inverse) + zero;
    const float low = rounded >= 0.0F ? rounded : 0.0F;  // of NaN too
    out[i] = static_cast<std::uint8_t>(low <= 255.0F ? low : 255.0F);
  }
}

}  // namespace

const KernelSet& scalar_kernels() noexcept {
  static constexpr KernelSet kSet = {
      .name = "scalar",
      .activate = activate,
      .tile_int8 = tile_int8,
      .tile_float = tile_float,
      .vector_int8 = vector_int8,
      .vector_float = vector_float,
      .finish_float = finish_float,
      .finish_int8 = finish_int8,
      .filter = filter<float>,
      .filter_bytes = filter<std::uint8_t>,
      .largest = largest,
      .range = range,
      .quantize = quantize,
  };
  return kSet;
}

}  // namespace lastbit
