#include "lastbit/train/tensor_steps.h"

#include <ATen/ATen.h>

namespace lastbit {
namespace {

torch::Tensor slope_of(const torch::Tensor& w, const torch::Tensor& g, double decay) {
  return decay == 0.0 ? g : at::add(g, w, decay);
}

}  // namespace

void take_step(torch::Tensor& w, const torch::Tensor& g, torch::Tensor& v, const SgdStep& step) {
  const torch::Tensor slope = slope_of(w, g, step.decay);
  at::add_out(v, slope, v, step.momentum);
  if (step.nesterov) w.sub_(slope, step.rate);
  w.sub_(v, step.nesterov ? step.rate * step.momentum : step.rate);
}

void take_step(torch::Tensor& w,
               const torch::Tensor& g,
               torch::Tensor& mean,
               torch::Tensor& square,
               const AdamStep& step) {
  const torch::Tensor slope = slope_of(w, g, step.decay);
  mean.lerp_(slope, 1.0 - step.beta1);
  square.mul_(step.beta2).addcmul_(slope, slope, 1.0 - step.beta2);
  w.addcdiv_(mean, square.sqrt().mul_(step.root_correction).add_(step.epsilon), -step.rate);
}

}  // namespace lastbit
