#pragma once

#include <torch/types.h>

namespace lastbit {

// The optimizers' steps where the parameters are not on the CPU: a few kernels over one flat
// tensor, and no wait for the device. All tensors are (count) float32.

struct SgdStep {
  double rate = 0.0;
  double momentum = 0.0;
  bool nesterov = false;
  double decay = 0.0;
};
/// slope = g + decay w;  v = momentum v + slope;  w -= rate (slope + momentum v), or rate v.
void take_step(torch::Tensor& w, const torch::Tensor& g, torch::Tensor& v, const SgdStep& step);

struct AdamStep {
  double rate = 0.0;  ///< corrected for the mean's start at 0
  double beta1 = 0.0;
  double beta2 = 0.0;
  double root_correction = 1.0;  ///< of the square's start at 0
  double epsilon = 0.0;
  double decay = 0.0;
};
/// slope = g + decay w;  mean and square move toward slope and slope^2 by 1 - beta;
/// w -= rate mean / (sqrt(square) root_correction + epsilon).
void take_step(torch::Tensor& w,
               const torch::Tensor& g,
               torch::Tensor& mean,
               torch::Tensor& square,
               const AdamStep& step);

}  // namespace lastbit
