#include "lastbit/runtime/plane.h"

#include <algorithm>

namespace lastbit {

std::ptrdiff_t SlidingAxis::first_element(std::ptrdiff_t o, std::ptrdiff_t low) const noexcept {
  const std::ptrdiff_t distance = low - position(o, 0);
  if (distance <= 0) return 0;
  return std::min(kernel, (distance + dilation - 1) / dilation);
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
