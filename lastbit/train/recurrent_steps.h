#pragma once

#include <vector>

#include <torch/types.h>

namespace lastbit {

// One direction of a recurrent layer on the CPU, with gates in ONNX's order. Backward is written
// out: it computes the gradient of a matrix for all steps as one product, where autograd, and so
// LibTorch's own layers, would add up one for each step. Differentiable once.

/// @param x  [steps, batch, inputs]. @param w  [4 * hidden, inputs]. @param r  [4 * hidden,
/// hidden].
/// @param bias  [4 * hidden], that of w and r together.
/// @param hidden, cell  [batch, hidden], before the first step.
/// @param backward  the last step comes first.
/// @return all states [steps, batch, hidden], then the last state and cell.
std::vector<torch::Tensor> lstm_steps(const torch::Tensor& x,
                                      const torch::Tensor& w,
                                      const torch::Tensor& r,
                                      const torch::Tensor& bias,
                                      const torch::Tensor& hidden,
                                      const torch::Tensor& cell,
                                      bool backward);

/// The same for GRU, with three gates.
/// @param r_bias  [3 * hidden]; added to w's where the reset gate comes before the product.
/// @param reset_after  ONNX's `linear_before_reset`.
/// @return all states, then the last.
std::vector<torch::Tensor> gru_steps(const torch::Tensor& x,
                                     const torch::Tensor& w,
                                     const torch::Tensor& r,
                                     const torch::Tensor& w_bias,
                                     const torch::Tensor& r_bias,
                                     const torch::Tensor& hidden,
                                     bool backward,
                                     bool reset_after);

}  // namespace lastbit
