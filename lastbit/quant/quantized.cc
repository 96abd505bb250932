#include "lastbit/quant/quantized.h"

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {

ChannelLayout channel_layout(std::span<const std::int64_t> shape, int axis) {
  if (axis < 0 || static_cast<std::size_t>(axis) >= shape.size()) {
    throw InputError(cat("[layout] channel axis ",
                         axis,
                         " of a shape of ",
                         shape.size(),
                         " dimensions, expected 0 to ",
                         shape.size(),
                         " exclusive"));
  }
  const auto channel_axis = static_cast<std::size_t>(axis);
  ChannelLayout layout;
  std::int64_t size = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0 || __builtin_mul_overflow(size, shape[i], &size)) {
      throw InputError(cat("[layout] shape (", join(shape), ") has a negative or too large size"));
    }
    (i < channel_axis    ? layout.before
     : i == channel_axis ? layout.channels
                         : layout.after) *= shape[i];
  }
  return layout;
}

void decode(const Quantized& quantized, std::span<float> out) {
  const ChannelLayout& layout = quantized.layout;
  const auto size = static_cast<std::size_t>(layout.size());
  const bool by_channel = quantized.per == Granularity::kChannel;
  const std::size_t scales = by_channel ? static_cast<std::size_t>(layout.channels) : 1;
  if (quantized.codes.size() != size || out.size() != size || quantized.scales.size() != scales) {
    throw InputError(cat("[decode] ",
                         quantized.codes.size(),
                         " codes and ",
                         quantized.scales.size(),
                         " scales into ",
                         out.size(),
                         " weights, expected ",
                         size,
                         " codes and weights and ",
                         scales,
                         " scales"));
  }
  const Code* code = quantized.codes.data();
  float* weight = out.data();
  const auto write = [&](std::size_t count, float scale) {
    for (std::size_t i = 0; i < count; ++i) weight[i] = quantized.levels[code[i]] * scale;
    code += count;
    weight += count;
  };
  if (!by_channel) {
    write(size, quantized.scales[0]);
    return;
  }
  for (std::int64_t b = 0; b < layout.before; ++b) {
    for (const float scale : quantized.scales) write(static_cast<std::size_t>(layout.after), scale);
  }
}

}  // namespace lastbit
