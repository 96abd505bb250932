#pragma once

#include <cstdint>

#include "lastbit/graph/graph.h"
#include "lastbit/runtime/session.h"

namespace lastbit {

/// What `node` makes of constants alone, computed by a session of its own. A low-bit matrix that is
/// transposed stays packed.
/// @param constants  has the node's opset, and its inputs as initializers.
/// @param shape  of the result.
Initializer fold_constants(const Node& node,
                           Graph constants,
                           const Shape& shape,
                           SessionOptions options);

}  // namespace lastbit
