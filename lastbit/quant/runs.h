#pragma once

#include <algorithm>
#include <cstddef>

#include "lastbit/quant/quantized.h"

namespace lastbit {

/// Calls use(scale, begin, end) for each run of neighbouring weights [begin, end) that share the
/// scale of that index, in the order of the weights.
template <typename Use>
void for_each_run(const Quantized& quantized, const Use& use) {
  const ChannelLayout& layout = quantized.layout;
  if (quantized.per == Granularity::kNone || quantized.per == Granularity::kTensor) {
    use(std::size_t{0}, std::size_t{0}, static_cast<std::size_t>(layout.size()));
    return;
  }
  const auto before = static_cast<std::size_t>(layout.before);
  const auto channels = static_cast<std::size_t>(layout.channels);
  const auto after = static_cast<std::size_t>(layout.after);
  // A channel's weights in order, `group` of which share a scale.
  const bool grouped = quantized.per == Granularity::kGroup;
  const auto group = grouped ? static_cast<std::size_t>(quantized.group) : before * after;
  const std::size_t groups = (before * after + group - 1) / group;
  for (std::size_t b = 0; b < before; ++b) {
    for (std::size_t channel = 0; channel < channels; ++channel) {
      const std::size_t first = (b * channels + channel) * after;
      for (std::size_t a = 0; a < after;) {
        const std::size_t within = b * after + a;  // of the channel
        const std::size_t end = std::min(after, a + group - within % group);
        use(channel * groups + within / group, first + a, first + end);
        a = end;
      }
    }
  }
}

}  // namespace lastbit
