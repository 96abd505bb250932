#pragma once

#include <cstddef>
#include <vector>

#include "lastbit/graph/window.h"

namespace lastbit {

/// One spatial axis of a sliding window. A one-dimensional operator has a first axis of size 1.
struct SlidingAxis {
  std::ptrdiff_t input = 1;
  std::ptrdiff_t output = 1;
  std::ptrdiff_t kernel = 1;
  std::ptrdiff_t stride = 1;
  std::ptrdiff_t dilation = 1;
  std::ptrdiff_t pad_begin = 0;
  std::ptrdiff_t pad_end = 0;

  /// Input position of the window's element `k` at the result's position `o`.
  std::ptrdiff_t position(std::ptrdiff_t o, std::ptrdiff_t k) const noexcept {
    return o * stride - pad_begin + k * dilation;
  }
  /// The first of the window's elements at result `o` that lies at input position `low` or beyond;
  /// `kernel` if there is none. A window may be far larger than its input.
  std::ptrdiff_t first_element(std::ptrdiff_t o, std::ptrdiff_t low) const noexcept;
};

/// Neighbouring results [begin, end) of an axis whose windows have the same elements [first, last)
/// in the input.
struct AxisRun {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::ptrdiff_t first = 0;
  std::ptrdiff_t last = 0;
};

std::vector<AxisRun> runs_of(const SlidingAxis& axis);

/// The axes of `window` over an input [batch, channels, spatial...], two in any case.
std::vector<SlidingAxis> sliding_axes(const Window& window, const Shape& input);

}  // namespace lastbit
