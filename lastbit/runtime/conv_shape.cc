#include "lastbit/runtime/conv_shape.h"

#include <algorithm>

#include "lastbit/graph/window.h"
#include "lastbit/runtime/kernels/product.h"

namespace lastbit {
namespace {

std::size_t round_up(std::size_t count) {
  return (count + kGroupInputs - 1) / kGroupInputs * kGroupInputs;
}

std::size_t size_of(std::ptrdiff_t size) { return static_cast<std::size_t>(size); }

// What the last window needs beyond the input.
std::size_t border_behind(const SlidingAxis& axis) {
  const std::ptrdiff_t last = axis.position(axis.output - 1, axis.kernel - 1);
  return size_of(std::max<std::ptrdiff_t>(0, last - (axis.input - 1)));
}

}  // namespace

ConvShape::ConvShape(const Node& node, const Shape& input, const Shape& weights)
    : batch(static_cast<std::size_t>(input[0])),
      in_channels(static_cast<std::size_t>(input[1])),
      out_channels(static_cast<std::size_t>(weights[0])),
      groups(static_cast<std::size_t>(int_attribute(node, "group", 1))) {
  const Window window = window_of(node, input, std::span<const std::int64_t>(weights).subspan(2));
  const std::vector<SlidingAxis> axes = sliding_axes(window, input);
  y = axes[0];
  x = axes[1];
}

std::size_t ConvShape::pixels() const noexcept { return size_of(y.output * x.output); }

bool ConvShape::joins_columns() const noexcept {
  const std::size_t columns = size_of(x.kernel);
  return groups == 1 && x.dilation == 1 && in_channels % kGroupInputs != 0 &&
         round_up(columns * in_channels) <= columns * round_up(in_channels);
}

bool ConvShape::meets_others() const noexcept {
  const std::size_t run = joins_columns() ? size_of(x.kernel) * in_channels
                          : groups > 1    ? group_inputs()
                                          : 0;
  return run % kGroupInputs != 0;
}

Plane ConvShape::plane() const noexcept {
  std::size_t stored = in_channels;
  if (groups == 1 && !joins_columns()) stored = round_up(in_channels);
  // Room behind the last pixel, for the groups that reach beyond it.
  if (groups > 1 && meets_others()) stored += kGroupInputs;
  return {.batch = batch,
          .height = size_of(y.input),
          .width = size_of(x.input),
          .channels = in_channels,
          .top = size_of(y.pad_begin),
          .bottom = border_behind(y),
          .left = size_of(x.pad_begin),
          .right = border_behind(x),
          .stored = stored};
}

std::vector<std::int32_t> ConvShape::windows(const Plane& plane) const {
  std::vector<std::int32_t> result;
  result.reserve(pixels());
  for (std::ptrdiff_t oy = 0; oy < y.output; ++oy) {
    for (std::ptrdiff_t ox = 0; ox < x.output; ++ox) {
      const std::ptrdiff_t row = y.position(oy, 0) + static_cast<std::ptrdiff_t>(plane.top);
      const std::ptrdiff_t column = x.position(ox, 0) + static_cast<std::ptrdiff_t>(plane.left);
      result.push_back(static_cast<std::int32_t>(plane.at(0, size_of(row), size_of(column))));
    }
  }
  return result;
}

std::vector<std::int32_t> ConvShape::offsets(const Plane& plane) const {
  std::vector<std::int32_t> result;
  const std::size_t columns = size_of(x.kernel);
  const std::size_t run = joins_columns() ? columns * in_channels : group_inputs();
  for (std::size_t ky = 0; ky < size_of(y.kernel); ++ky) {
    for (std::size_t kx = 0; kx < (joins_columns() ? 1 : columns); ++kx) {
      const std::size_t tap = plane.at(0, ky * size_of(y.dilation), kx * size_of(x.dilation));
      for (std::size_t c = 0; c < run; c += kGroupInputs) {
        result.push_back(static_cast<std::int32_t>(tap + c));
      }
    }
  }
  return result;
}

std::vector<std::int64_t> ConvShape::inputs() const {
  std::vector<std::int64_t> result;
  const std::size_t rows = size_of(y.kernel);
  const std::size_t columns = size_of(x.kernel);
  const auto element = [&](std::size_t c, std::size_t ky, std::size_t kx) {
    return static_cast<std::int64_t>((c * rows + ky) * columns + kx);
  };
  for (std::size_t ky = 0; ky < rows; ++ky) {
    if (joins_columns()) {
      const std::size_t run = columns * in_channels;
      for (std::size_t i = 0; i < round_up(run); ++i) {
        result.push_back(i < run ? element(i % in_channels, ky, i / in_channels) : -1);
      }
      continue;
    }
    for (std::size_t kx = 0; kx < columns; ++kx) {
      for (std::size_t c = 0; c < round_up(group_inputs()); ++c) {
        result.push_back(c < group_inputs() ? element(c, ky, kx) : -1);
      }
    }
  }
  return result;
}

}  // namespace lastbit
