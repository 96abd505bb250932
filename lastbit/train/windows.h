#pragma once

#include "lastbit/graph/graph.h"
#include "lastbit/train/operators.h"

namespace lastbit {

// The operators that slide a window over space: convolution and pooling, in one and two dimensions.
// @throws InputError naming the node for attributes that LibTorch has no call for.

/// @param mode  read at each call.
OperatorCall compile_conv(const Node& node, const ForwardMode* mode);
OperatorCall compile_max_pool(const Node& node);
OperatorCall compile_average_pool(const Node& node);

}  // namespace lastbit
