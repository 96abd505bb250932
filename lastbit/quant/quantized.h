#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lastbit/quant/codebook.h"

namespace lastbit {

/// Which weights share one scale.
enum class Granularity : std::uint8_t {
  kNone,     ///< The levels are used as they are; the scale is 1.
  kTensor,   ///< One scale for the whole tensor.
  kChannel,  ///< One scale for each output channel.
  kGroup,    ///< One scale for each run of `Quantized::group` weights of an output channel.
};

/// Where the output channels of a flattened tensor lie: element (b, c, a) of a row-major array
/// [before, channels, after]. A convolution's [out, in, kh, kw] is {1, out, in*kh*kw}; a matrix
/// [in, out] is {in, out, 1}.
struct ChannelLayout {
  std::int64_t before = 1;
  std::int64_t channels = 1;
  std::int64_t after = 1;

  std::int64_t size() const noexcept { return before * channels * after; }
  friend bool operator==(const ChannelLayout&, const ChannelLayout&) = default;
};

/// The layout of a tensor of `shape` whose output channels run along `axis`.
ChannelLayout channel_layout(std::span<const std::int64_t> shape, int axis);

/// A tensor of low-bit weights: weight i is levels[codes[i]] * scale of its group, in float32.
struct Quantized {
  Codebook levels;
  Granularity per = Granularity::kTensor;
  ChannelLayout layout;
  std::vector<float> scales;  // (scale_count(per, layout, group)), channel by channel; not negative
  std::vector<Code> codes;    // (layout.size())
  double squared_error = 0.0;  // ||w - decoded||^2 of the projection that made it, in double
  std::int64_t group = 0;      // weights that share a scale, at least 1, for kGroup; else 0
};

/// Scales of a tensor: 1 for kNone and kTensor, the channels for kChannel. For kGroup, the weights
/// of a channel, taken in the order (before, after), fall into runs of `group`, the last of which
/// may be shorter: channels * ceil(before * after / group).
std::size_t scale_count(Granularity per, const ChannelLayout& layout, std::int64_t group);

/// Writes the weights that `quantized` stands for. The one definition of "decoded": the file, the
/// runtime and the trainer all agree with it bit for bit.
/// @param out  (quantized.layout.size())
void decode(const Quantized& quantized, std::span<float> out);

}  // namespace lastbit
