#pragma once

#include <cstddef>
#include <cstdint>

namespace lastbit {

/// A function of one value, applied where an operator's result is written.
struct Activation {
  enum class Kind : std::uint8_t { kNone, kRelu, kClip, kLeakyRelu, kSigmoid, kTanh };

  Kind kind = Kind::kNone;
  float slope = 0.0F;  ///< For negative values; kLeakyRelu alone.
  float least = 0.0F;  ///< kClip alone, as `most`.
  float most = 0.0F;
};

/// Neighbouring inputs whose products are summed in one lane.
inline constexpr std::size_t kGroupInputs = 4;
/// Outputs whose weights lie in one word, and a word's bytes: a byte for each output and input.
inline constexpr std::size_t kWordOutputs = 16;
inline constexpr std::size_t kWordBytes = kWordOutputs * kGroupInputs;
/// Words side by side in a block at most.
inline constexpr std::size_t kBlockWords = 2;
inline constexpr std::size_t kBlockOutputs = kBlockWords * kWordOutputs;
/// Results of a tile at most.
inline constexpr std::size_t kTileRows = 8;

/// The weights of up to kBlockOutputs neighbouring outputs, as codes in words of 64 bytes.
///
/// Byte 4 * o + i of a word is about output o and input i of a group. It holds 8 / bits fields,
/// the lowest bits first: the codes of 8 / bits successive groups. With a width of 2 each word is
/// followed by that of the next 16 outputs for the same groups. Fields beyond the last group, and
/// those of outputs that do not exist, are codes like all others, of no meaning.
struct WeightBlock {
  const std::uint8_t* words = nullptr;  ///< Aligned to kWordBytes; null for `floats`.
  int bits = 0;                         ///< Of a field: 1, 2, 4 or 8.
  int width = 0;                        ///< Words side by side, 1 or 2.
  /// The integer level of each code, (16), repeated where there are fewer codes; for 8 bits null:
  /// the field itself is the level, in two's complement.
  const std::int8_t* levels = nullptr;
  int largest = 0;  ///< The largest magnitude of an integer level.
  /// The level of each code, for kernels of floats, all finite: (16), repeated as `levels` is, or
  /// (256) for 8 bits.
  const float* table = nullptr;
  /// In place of words, for kernels of floats: [4 * groups][16 * width].
  const float* floats = nullptr;
};

/// Bytes of a block's words.
constexpr std::size_t block_bytes(std::size_t groups, int bits, int width) noexcept {
  const std::size_t fields = 8 / static_cast<std::size_t>(bits);
  return (groups + fields - 1) / fields * static_cast<std::size_t>(width) * kWordBytes;
}

/// The inputs of up to kTileRows results that differ in where they begin alone: input
/// 4 * g + i of result r is rows[r][offsets[g] + i].
template <typename Input>
struct Tile {
  const Input* const* rows;     ///< (count)
  std::size_t count;            ///< 1 to kTileRows
  const std::int32_t* offsets;  ///< (groups)
  std::size_t groups;
};

/// What becomes of the sums of a tile, [count][sums_stride]:
/// out[r * stride + o] = activation(scale[o] * sum + bias[o] + residual[r * stride + o]).
///
/// Where `bytes` is there, the results are written to it instead of to `out`, as the nearest
/// integers, ties to the even. The activation is then a Clip from 0 or above to 255.
struct Finish {
  std::size_t count = 0;
  std::size_t outputs = 0;
  std::size_t sums_stride = 0;
  const float* scale = nullptr;     ///< (outputs)
  const float* bias = nullptr;      ///< (outputs)
  const float* residual = nullptr;  ///< Laid out as `out`; null for none. May be `out` itself.
  std::size_t stride = 0;           ///< Floats between two results of `out` and `residual`.
  Activation activation = {};
  float* out = nullptr;
  std::uint8_t* bytes = nullptr;
};

/// Filters of one channel each, over a run of results: the sum of result r and channel c is that of
/// pixels[y * row + r * step + x][c] * weights[(y * width + x) * channels + c] over the taps, y
/// before x. With a step of 1 neighbouring results share pixels.
template <typename Input>
struct ChannelFilter {
  const Input* const* pixels;  ///< (height, row): where the channels of each pixel begin
  std::size_t row;
  std::size_t step;
  const float* weights;  ///< (height, width, channels)
  std::size_t height;
  std::size_t width;
};

/// Windows over a run of results: tap t of result r and channel c is inputs[t][r * step + c].
struct ChannelWindow {
  const float* const* inputs;  ///< (taps)
  std::size_t taps;
  std::size_t step;  ///< Floats between the inputs of two results.
};

struct Range {
  float least = 0.0F;
  float most = 0.0F;
};

/// The integer of x is round(x * inverse) + zero, held within 0 and 255; round is to the nearest,
/// ties to the even.
struct Quantization {
  float inverse = 0.0F;
  std::int32_t zero = 0;
};

}  // namespace lastbit
