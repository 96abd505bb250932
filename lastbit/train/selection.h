#pragma once

#include <cstdint>
#include <vector>

#include "lastbit/graph/graph.h"
#include "lastbit/train/operators.h"

namespace lastbit {

/// The call of a Slice or Pad node.
/// @param parameters  as `selected_axes` takes them.
/// @throws InputError when called with an input that they do not fit.
OperatorCall compile_selection(const Node& node, std::vector<std::vector<std::int64_t>> parameters);

}  // namespace lastbit
