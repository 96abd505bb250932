#include "lastbit/quant/quantized.h"

#include <algorithm>

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

std::size_t scale_count(Granularity per, const ChannelLayout& layout, std::int64_t group) {
  if ((per == Granularity::kGroup) != (group > 0)) {
    throw InputError(cat("[layout] groups of ",
                         group,
                         " weights, expected at least 1 for scales by group and else 0"));
  }
  const auto channels = static_cast<std::size_t>(layout.channels);
  if (per == Granularity::kChannel) return channels;
  if (per != Granularity::kGroup) return 1;
  const std::int64_t weights = layout.before * layout.after;
  return channels * static_cast<std::size_t>(weights / group + (weights % group != 0 ? 1 : 0));
}

void decode(const Quantized& quantized, std::span<float> out) {
  const ChannelLayout& layout = quantized.layout;
  const auto size = static_cast<std::size_t>(layout.size());
  const std::size_t scales = scale_count(quantized.per, layout, quantized.group);
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
  if (quantized.per == Granularity::kNone || quantized.per == Granularity::kTensor) {
    write(size, quantized.scales[0]);
    return;
  }
  // The weights of a channel that one scale serves; all of them where scales are by channel.
  const std::int64_t weights = layout.before * layout.after;
  const std::int64_t group = quantized.per == Granularity::kGroup ? quantized.group : weights;
  const std::size_t groups = scales / static_cast<std::size_t>(layout.channels);
  for (std::int64_t b = 0; b < layout.before; ++b) {
    for (std::size_t c = 0; c < static_cast<std::size_t>(layout.channels); ++c) {
      const std::int64_t end = (b + 1) * layout.after;
      for (std::int64_t i = b * layout.after; i < end;) {
        const std::int64_t next = std::min(end, (i / group + 1) * group);
        write(static_cast<std::size_t>(next - i),
              quantized.scales[c * groups + static_cast<std::size_t>(i / group)]);
        i = next;
      }
    }
  }
}

}  // namespace lastbit
