#include "lastbit/method/latent.h"

#include <utility>

namespace lastbit {

void LatentMethod::begin(Weights weights) {
  weights_ = std::move(weights);
  z_.begin(weights_);
  latent_ = torch::empty_like(weights_.value);
  start();
}

void LatentMethod::before_forward(const Progress& at, int /*pass*/) {
  latent_.copy_(weights_.value);
  map(at, latent_, weights_.value);
}

void LatentMethod::after_backward(const Progress& at, int /*pass*/) {
  chain(at, latent_, weights_.gradient);
  weights_.value.copy_(latent_);
}

Residuals LatentMethod::end_round(const Progress& at) {
  round(at, weights_.value, z_);
  return z_.residuals(seen(at), penalty(at));
}

void LatentMethod::round(const Progress& /*at*/,
                         const torch::Tensor& latent,
                         LowBitPoint& low_bit) {
  low_bit.project(latent);
}

torch::Tensor LatentMethod::seen(const Progress& at) const {
  torch::Tensor result = torch::empty_like(weights_.value);
  map(at, weights_.value, result);
  return result;
}

std::map<std::string, torch::Tensor> LatentMethod::state() const {
  std::map<std::string, torch::Tensor> result;
  z_.save(result);
  save(result);
  return result;
}

void LatentMethod::load(const std::map<std::string, torch::Tensor>& state) {
  z_.load(state);
  restore(state);
}

}  // namespace lastbit
