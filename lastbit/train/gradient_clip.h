#pragma once

#include <torch/types.h>

namespace lastbit {

/// Scales `gradient` by `most / ||gradient||`, with the Euclidean norm of all of it, where that is
/// less than 1, and leaves it as it is elsewhere, bit for bit. Nothing waits for a GPU. A gradient
/// that is not finite becomes NaN.
///
/// @param gradient  of all parameters together, float32.
/// @param most  positive.
/// @throws InputError for another `most`.
void clip_gradient(torch::Tensor& gradient, double most);

}  // namespace lastbit
