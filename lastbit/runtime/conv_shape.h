#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lastbit/runtime/plane.h"
#include "lastbit/runtime/prepare.h"
#include "lastbit/runtime/step.h"

namespace lastbit {

/// All sizes of a convolution, two-dimensional in any case.
struct ConvShape {
  /// @throws InputError naming the node for attributes that are malformed.
  explicit ConvShape(const Node& node, const Shape& input, const Shape& weights);

  std::size_t batch;
  std::size_t in_channels;
  std::size_t out_channels;
  std::size_t groups;
  SlidingAxis y;
  SlidingAxis x;

  std::size_t group_inputs() const noexcept { return in_channels / groups; }
  std::size_t group_outputs() const noexcept { return out_channels / groups; }
  /// Pixels of a sample's result.
  std::size_t pixels() const noexcept;
  /// One filter a channel.
  bool depthwise() const noexcept {
    return groups > 1 && groups == in_channels && groups == out_channels;
  }
  /// The window's columns and their channels, which lie side by side, are read in one run.
  bool joins_columns() const noexcept;
  /// Groups of four inputs reach into values that belong to other channels or pixels.
  bool meets_others() const noexcept;

  /// The form in which the input is read, with the border that this convolution needs.
  Plane plane() const noexcept;
  /// Where the window of each result of a sample begins in `plane`, whose border may be wider,
  /// counted from the sample's begin. (pixels)
  std::vector<std::int32_t> windows(const Plane& plane) const;
  /// Where the groups of four inputs lie, counted from the window's begin.
  std::vector<std::int32_t> offsets(const Plane& plane) const;
  /// For those inputs, their element in the weights [outputs, group inputs, height, width], counted
  /// from that of their output; -1 for none.
  std::vector<std::int64_t> inputs() const;
};

}  // namespace lastbit
