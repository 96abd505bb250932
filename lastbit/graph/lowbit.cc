#include "lastbit/graph/lowbit.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/quant/digits.h"

namespace lastbit {
namespace {

Shape channel_scale_shape(const Shape& shape, std::size_t axis) {
  Shape scale_shape(shape.size(), 1);
  scale_shape[axis] = shape[axis];
  return scale_shape;
}

// The axis that the scales run along; none where one scale serves the whole tensor.
std::optional<int> scale_axis(const Shape& shape, const Shape& scale_shape) {
  if (scale_shape == Shape{1}) return std::nullopt;
  if (scale_shape.size() == shape.size()) {
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (scale_shape == channel_scale_shape(shape, axis)) return static_cast<int>(axis);
    }
  }
  throw FormatError(cat("[lowbit] scales of shape ",
                        to_string(scale_shape),
                        " do not fit a tensor of shape ",
                        to_string(shape),
                        ", expected [1] or that shape with 1 on every axis but one"));
}

// Scales by group, one for each run of `group` weights of a channel.
void check_groups(const LowBitTensor& tensor, std::int64_t count) {
  const ChannelLayout& layout = tensor.layout;
  const Shape sizes{layout.before, layout.channels, layout.after};
  const auto least = std::min({layout.before, layout.channels, layout.after});
  if (least < 1 || checked_element_count(sizes) != count) {
    throw FormatError(cat("[lowbit] channels laid out as ",
                          to_string(sizes),
                          " do not fit a tensor of shape ",
                          to_string(tensor.shape)));
  }
  const std::int64_t in_channel = layout.before * layout.after;
  if (tensor.group < 1 || tensor.group > in_channel) {
    throw FormatError(cat("[lowbit] groups of ",
                          tensor.group,
                          " weights, expected 1 to ",
                          in_channel,
                          ", the weights of a channel"));
  }
  const std::int64_t groups = (in_channel - 1) / tensor.group + 1;
  if (const Shape expected{layout.channels, groups, 1}; tensor.scale_shape != expected) {
    throw FormatError(cat("[lowbit] scales of shape ",
                          to_string(tensor.scale_shape),
                          ", expected ",
                          to_string(expected),
                          " for groups of ",
                          tensor.group,
                          " weights"));
  }
}

void check_scales(const LowBitTensor& tensor) {
  const auto expected = static_cast<std::size_t>(element_count(tensor.scale_shape));
  if (tensor.scales.size() != expected) {
    throw FormatError(cat("[lowbit] expected ", expected, " scales, got ", tensor.scales.size()));
  }
  for (std::size_t i = 0; i < expected; ++i) {
    if (!std::isfinite(tensor.scales[i]) || tensor.scales[i] < 0.0F) {
      throw FormatError(cat("[lowbit] scales[",
                            i,
                            "] is ",
                            tensor.scales[i],
                            ", expected a finite value that is not negative"));
    }
  }
}

}  // namespace

LowBitTensor pack_lowbit(const Quantized& quantized,
                         Shape shape,
                         int channel_axis,
                         std::string set) {
  if (channel_axis < 0 || channel_axis >= static_cast<int>(shape.size())) {
    throw InputError(
        cat("[lowbit] channel axis ", channel_axis, " is not an axis of shape ", to_string(shape)));
  }
  if (channel_layout(shape, channel_axis) != quantized.layout) {
    throw InputError(cat("[lowbit] weights quantized as [",
                         quantized.layout.before,
                         ", ",
                         quantized.layout.channels,
                         ", ",
                         quantized.layout.after,
                         "] do not fit shape ",
                         to_string(shape),
                         " with channels on axis ",
                         channel_axis));
  }
  const auto axis = static_cast<std::size_t>(channel_axis);
  LowBitTensor tensor{.shape = std::move(shape),
                      .codebook = quantized.levels,
                      .scale_shape = Shape{1},
                      .scales = quantized.scales,
                      .packed = pack(quantized.codes, quantized.levels.size()),
                      .set = std::move(set)};
  if (quantized.per == Granularity::kChannel) {
    tensor.scale_shape = channel_scale_shape(tensor.shape, axis);
  } else if (quantized.per == Granularity::kGroup) {
    const ChannelLayout& layout = quantized.layout;
    const std::int64_t in_channel = layout.before * layout.after;
    tensor.group = std::min(quantized.group, in_channel);
    tensor.layout = layout;
    tensor.scale_shape = {layout.channels, (in_channel - 1) / tensor.group + 1, 1};
  }
  return tensor;
}

LowBitTensor pack_runs(const Quantized& quantized, Shape shape, std::string set) {
  const ChannelLayout& layout = quantized.layout;
  if (quantized.per != Granularity::kChannel || layout.before != 1 ||
      layout.size() != element_count(shape)) {
    throw InputError(cat("[lowbit] weights quantized as [",
                         layout.before,
                         ", ",
                         layout.channels,
                         ", ",
                         layout.after,
                         "] do not fit shape ",
                         to_string(shape),
                         " with runs of weights as channels"));
  }
  return {.shape = std::move(shape),
          .codebook = quantized.levels,
          .scale_shape = {layout.channels, 1, 1},
          .scales = quantized.scales,
          .packed = pack(quantized.codes, quantized.levels.size()),
          .set = std::move(set),
          .group = layout.after,
          .layout = layout};
}

void check_lowbit(const LowBitTensor& tensor) {
  const std::optional<std::int64_t> count = checked_element_count(tensor.shape);
  if (tensor.shape.empty() || !count || *count == 0) {
    throw FormatError(cat("[lowbit] shape ",
                          to_string(tensor.shape),
                          " is not that of a low-bit tensor, expected sizes of at least 1"));
  }
  if (tensor.group != 0) {
    check_groups(tensor, *count);
  } else {
    scale_axis(tensor.shape, tensor.scale_shape);
  }
  check_scales(tensor);
  check_packed(tensor.packed, tensor.codebook.size(), static_cast<std::size_t>(*count));
}

Quantized unpack_lowbit(const LowBitTensor& tensor) {
  check_lowbit(tensor);
  const auto size = static_cast<std::size_t>(element_count(tensor.shape));
  Quantized quantized{.levels = tensor.codebook,
                      .per = Granularity::kTensor,
                      .layout = {},
                      .scales = tensor.scales,
                      .codes = std::vector<Code>(size)};
  unpack(tensor.packed, tensor.codebook.size(), 0, quantized.codes);
  if (tensor.group != 0) {
    quantized.per = Granularity::kGroup;
    quantized.layout = tensor.layout;
    quantized.group = tensor.group;
    return quantized;
  }
  const std::optional<int> axis = scale_axis(tensor.shape, tensor.scale_shape);
  quantized.layout = channel_layout(tensor.shape, axis.value_or(0));
  if (axis) {
    quantized.per = Granularity::kChannel;
  } else if (tensor.set.ends_with("/none")) {
    quantized.per = Granularity::kNone;
  }
  return quantized;
}

Tensor decode(const LowBitTensor& tensor) {
  const Quantized quantized = unpack_lowbit(tensor);
  std::vector<float> values(quantized.codes.size());
  decode(quantized, values);
  return Tensor::floats(tensor.shape, values);
}

}  // namespace lastbit
