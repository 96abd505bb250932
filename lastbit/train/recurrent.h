#pragma once

#include "lastbit/graph/graph.h"
#include "lastbit/train/operators.h"

namespace lastbit {

/// The call of an LSTM or GRU node: all of Y, Y_h and, for LSTM, Y_c.
///
/// Parameters and gradients stay in ONNX's order. On the CPU steps are our own (recurrent_steps.h),
/// in float32 whatever the precision; on a GPU they are cuDNN's, but for a GRU whose reset gate
/// comes before the product (`linear_before_reset` 0), which it does not have.
///
/// @param mode  read at each call.
/// @throws InputError when called, as `recurrent_of` and for shapes that do not fit.
NodeCall compile_recurrent(const Node& node, const ForwardMode* mode);

}  // namespace lastbit
