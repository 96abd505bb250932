#pragma once

#include <torch/types.h>

namespace lastbit {

/// gradient += strength * (value - target), elementwise over flat float32 tensors of one size: the
/// gradient of strength/2 ||value - target||^2. One pass over memory on the CPU.
void add_pull(torch::Tensor& gradient,
              const torch::Tensor& value,
              const torch::Tensor& target,
              double strength);

/// saved = value; value -= rate * gradient, elementwise, in one pass over memory on the CPU.
void save_and_step(torch::Tensor& value,
                   torch::Tensor& saved,
                   const torch::Tensor& gradient,
                   double rate);

/// value = from + share * (value - from), elementwise, in one pass over memory on the CPU.
void blend(torch::Tensor& value, const torch::Tensor& from, double share);

}  // namespace lastbit
