#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lastbit/graph/graph.h"

namespace lastbit {

/// How the window of a Conv, MaxPool or AveragePool node moves over its input, with `auto_pad`
/// resolved. One entry a spatial axis in each vector.
struct Window {
  std::vector<std::int64_t> kernel;
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> dilations;
  std::vector<std::int64_t> pads_begin;
  std::vector<std::int64_t> pads_end;  // with ceil_mode the last window may reach farther
  std::vector<std::int64_t> output;    // spatial sizes of the result

  friend bool operator==(const Window&, const Window&) = default;
};

/// The window of `node` over an input of shape [batch, channels, spatial...].
///
/// @param kernel  spatial sizes of a convolution's kernel; empty for a pooling node, which has them
///     as an attribute.
/// @throws InputError naming the node if attributes are malformed, or the window does not fit in
///     the padded input.
Window window_of(const Node& node,
                 std::span<const std::int64_t> input_shape,
                 std::span<const std::int64_t> kernel = {});

}  // namespace lastbit
