#pragma once

#include <cstddef>

#include "lastbit/quant/quantized.h"

namespace lastbit {

/// Calls use(scale, begin, end) for each run of neighbouring weights [begin, end) that share the
/// scale of that index, in the order of the weights.
template <typename Use>
void for_each_run(const Quantized& quantized, const Use& use) {
  const ChannelLayout& layout = quantized.layout;
  if (quantized.per != Granularity::kChannel) {
    use(std::size_t{0}, std::size_t{0}, static_cast<std::size_t>(layout.size()));
    return;
  }
  const auto channels = static_cast<std::size_t>(layout.channels);
  const auto after = static_cast<std::size_t>(layout.after);
  const auto runs = static_cast<std::size_t>(layout.before) * channels;
  for (std::size_t run = 0; run < runs; ++run) use(run % channels, run * after, (run + 1) * after);
}

}  // namespace lastbit
