#include "lastbit/runtime/plane.h"

#include <algorithm>

namespace lastbit {

std::ptrdiff_t SlidingAxis::first_element(std::ptrdiff_t o, std::ptrdiff_t low) const noexcept {
  const std::ptrdiff_t distance = low - position(o, 0);
  if (distance <= 0) return 0;
  return std::min(kernel, (distance + dilation - 1) / dilation);
}

std::vector<AxisRun> runs_of(const SlidingAxis& axis) {
  std::vector<AxisRun> runs;
  for (std::ptrdiff_t o = 0; o < axis.output; ++o) {
    const std::ptrdiff_t first = axis.first_element(o, 0);
    const std::ptrdiff_t last = std::max(first, axis.first_element(o, axis.input));
    const auto at = static_cast<std::size_t>(o);
    if (!runs.empty() && runs.back().first == first && runs.back().last == last) {
      runs.back().end = at + 1;
    } else {
      runs.push_back({.begin = at, .end = at + 1, .first = first, .last = last});
    }
  }
  return runs;
}

std::vector<SlidingAxis> sliding_axes(const Window& window, const Shape& input) {
  std::vector<SlidingAxis> axes;
  if (window.kernel.size() == 1) axes.emplace_back();
  for (std::size_t i = 0; i < window.kernel.size(); ++i) {
    axes.push_back({.input = input[i + 2],
                    .output = window.output[i],
                    .kernel = window.kernel[i],
                    .stride = window.strides[i],
                    .dilation = window.dilations[i],
                    .pad_begin = window.pads_begin[i],
                    .pad_end = window.pads_end[i]});
  }
  return axes;
}

}  // namespace lastbit
