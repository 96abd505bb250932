#include <cmath>

#include "lastbit/base/vectorize.h"
#include "lastbit/method/exponential.h"
#include "lastbit/method/soft_forms.h"

namespace lastbit {
namespace {

LASTBIT_VECTORIZE void tanh_binary(const float* __restrict latent,
                                   const float* __restrict scale,
                                   const SoftShape& shape,
                                   float* __restrict seen,
                                   std::int64_t count) {
  const auto beta = static_cast<float>(shape.beta);
  const auto stretch = static_cast<float>(shape.stretch);
  for (std::int64_t i = 0; i < count; ++i) {
    seen[i] = scale[i] * tanh_of(beta * unit(latent[i], scale[i], stretch));
  }
}

LASTBIT_VECTORIZE void tanh_ternary(const float* __restrict latent,
                                    const float* __restrict scale,
                                    const SoftShape& shape,
                                    float* __restrict seen,
                                    std::int64_t count) {
  const auto beta = static_cast<float>(shape.beta);
  const auto stretch = static_cast<float>(shape.stretch);
  for (std::int64_t i = 0; i < count; ++i) {
    const float x = unit(latent[i], scale[i], stretch);
    const float sum = tanh_of(beta * (x + 0.5F)) + tanh_of(beta * (x - 0.5F));
    seen[i] = 0.5F * scale[i] * sum;
  }
}

LASTBIT_VECTORIZE void tanh_binary_chain(const float* __restrict latent,
                                         const float* __restrict scale,
                                         const SoftShape& shape,
                                         float* __restrict gradient,
                                         std::int64_t count) {
  const auto beta = static_cast<float>(shape.beta);
  const auto stretch = static_cast<float>(shape.stretch);
  for (std::int64_t i = 0; i < count; ++i) {
    const float t = tanh_of(beta * unit(latent[i], scale[i], stretch));
    gradient[i] *= beta * stretch * (1.0F - t * t);
  }
}

LASTBIT_VECTORIZE void tanh_ternary_chain(const float* __restrict latent,
                                          const float* __restrict scale,
                                          const SoftShape& shape,
                                          float* __restrict gradient,
                                          std::int64_t count) {
  const auto beta = static_cast<float>(shape.beta);
  const auto stretch = static_cast<float>(shape.stretch);
  for (std::int64_t i = 0; i < count; ++i) {
    const float x = unit(latent[i], scale[i], stretch);
    const float up = tanh_of(beta * (x + 0.5F));
    const float down = tanh_of(beta * (x - 0.5F));
    gradient[i] *= 0.5F * beta * stretch * ((1.0F - up * up) + (1.0F - down * down));
  }
}

torch::Tensor tanh_binary_of(const torch::Tensor& x, const SoftShape& shape, torch::Tensor* slope) {
  torch::Tensor t = torch::tanh(shape.beta * x);
  if (slope != nullptr) *slope = shape.beta * (1.0 - t * t);
  return t;
}

torch::Tensor tanh_ternary_of(const torch::Tensor& x,
                              const SoftShape& shape,
                              torch::Tensor* slope) {
  const torch::Tensor up = torch::tanh(shape.beta * (x + 0.5));
  const torch::Tensor down = torch::tanh(shape.beta * (x - 0.5));
  if (slope != nullptr) *slope = 0.5 * shape.beta * ((1.0 - up * up) + (1.0 - down * down));
  return 0.5 * (up + down);
}

}  // namespace

SoftForm tanh_binary_form() noexcept { return {tanh_binary, tanh_binary_chain, tanh_binary_of}; }
SoftForm tanh_ternary_form() noexcept {
  return {tanh_ternary, tanh_ternary_chain, tanh_ternary_of};
}

}  // namespace lastbit
