#pragma once

#include <cstdint>
#include <vector>

#include "lastbit/graph/graph.h"
#include "lastbit/train/operators.h"

namespace lastbit {

/// The call of a Slice or Pad node.
/// @param parameters  as `selected_axes` takes them.
/// @param border  what a Pad puts around its input.
/// @throws InputError when called with an input that they do not fit.
OperatorCall compile_selection(const Node& node,
                               std::vector<std::vector<std::int64_t>> parameters,
                               double border);

}  // namespace lastbit
