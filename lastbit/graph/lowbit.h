#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lastbit/graph/bytes.h"
#include "lastbit/graph/tensor.h"
#include "lastbit/quant/codebook.h"
#include "lastbit/quant/quantized.h"

namespace lastbit {

/// A float32 initializer kept as packed codes: what `lastbit.Decode` or `lastbit.DecodeGroups`
/// takes (docs/format.md).
struct LowBitTensor {
  Shape shape;                // of the decoded tensor
  Codebook codebook;          // levels; its size is the radix of `packed`
  Shape scale_shape;          // [1], or the decoded shape with 1 on every axis but the channels',
                              // or, by group, [channels, groups of a channel, 1]
  std::vector<float> scales;  // (element_count(scale_shape))
  Bytes packed;               // (packed_size(element_count(shape), codebook.size()))
  std::string set;            // the projector's text form, as "ternary/tensor"; empty if unknown
  std::int64_t group = 0;     // weights of a channel that share a scale; 0: scales are not by group
  ChannelLayout layout = {};  // where the channels lie, for scales by group

  friend bool operator==(const LowBitTensor&, const LowBitTensor&) = default;
};

/// Packs `quantized` for a tensor of `shape` whose output channels run along `channel_axis`. Groups
/// larger than a channel become groups of the channel's size, which are the same.
/// @throws InputError if it was quantized for another layout.
LowBitTensor pack_lowbit(const Quantized& quantized,
                         Shape shape,
                         int channel_axis,
                         std::string set);

/// The same for weights with a scale for each channel whose channels are runs of neighbouring
/// weights, whatever the axes, as the gates of a recurrent layer: stored as scales by group, with a
/// channel as one group.
/// @throws InputError if it was quantized otherwise, or for another size.
LowBitTensor pack_runs(const Quantized& quantized, Shape shape, std::string set);

/// @throws FormatError if the parts of `tensor` do not fit each other: a rule of docs/format.md
/// broken.
void check_lowbit(const LowBitTensor& tensor);

/// The inverse of packing: codes, levels, scales and layout. `squared_error` is 0. Without scales
/// by channel the layout has axis 0 for channels; `per` is kNone where `set` ends in "/none".
/// @throws FormatError if the parts do not fit each other.
Quantized unpack_lowbit(const LowBitTensor& tensor);

/// The float32 tensor it stands for, bit for bit what ONNX's operators compute.
Tensor decode(const LowBitTensor& tensor);

}  // namespace lastbit
