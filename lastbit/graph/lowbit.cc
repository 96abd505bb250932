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
  const bool per_channel = quantized.per == Granularity::kChannel;
  const auto axis = static_cast<std::size_t>(channel_axis);
  Shape scale_shape = per_channel ? channel_scale_shape(shape, axis) : Shape{1};
  return {.shape = std::move(shape),
          .codebook = quantized.levels,
          .scale_shape = std::move(scale_shape),
          .scales = quantized.scales,
          .packed = pack(quantized.codes, quantized.levels.size()),
          .set = std::move(set)};
}

void check_lowbit(const LowBitTensor& tensor) {
  const std::optional<std::int64_t> count = checked_element_count(tensor.shape);
  if (tensor.shape.empty() || !count || *count == 0) {
    throw FormatError(cat("[lowbit] shape ",
                          to_string(tensor.shape),
                          " is not that of a low-bit tensor, expected sizes of at least 1"));
  }
  scale_axis(tensor.shape, tensor.scale_shape);
  check_scales(tensor);
  check_packed(tensor.packed, tensor.codebook.size(), static_cast<std::size_t>(*count));
}

Quantized unpack_lowbit(const LowBitTensor& tensor) {
  check_lowbit(tensor);
  const std::optional<int> axis = scale_axis(tensor.shape, tensor.scale_shape);
  const auto size = static_cast<std::size_t>(element_count(tensor.shape));
  const bool without_scale = !axis && tensor.set.ends_with("/none");
  Quantized quantized{.levels = tensor.codebook,
                      .per = axis            ? Granularity::kChannel
                             : without_scale ? Granularity::kNone
                                             : Granularity::kTensor,
                      .layout = channel_layout(tensor.shape, axis.value_or(0)),
                      .scales = tensor.scales,
                      .codes = std::vector<Code>(size)};
  unpack(tensor.packed, tensor.codebook.size(), 0, quantized.codes);
  return quantized;
}

Tensor decode(const LowBitTensor& tensor) {
  const Quantized quantized = unpack_lowbit(tensor);
  std::vector<float> values(quantized.codes.size());
  decode(quantized, values);
  return Tensor::floats(tensor.shape, values);
}

}  // namespace lastbit
