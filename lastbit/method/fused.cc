#include "lastbit/method/fused.h"

#include <cstdint>

#include "lastbit/base/vectorize.h"

namespace lastbit {
namespace {

LASTBIT_VECTORIZE void add_pull_loop(float* __restrict gradient,
                                     const float* __restrict value,
                                     const float* __restrict target,
                                     float strength,
                                     std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) gradient[i] += strength * (value[i] - target[i]);
}

LASTBIT_VECTORIZE void save_and_step_loop(float* __restrict value,
                                          float* __restrict saved,
                                          const float* __restrict gradient,
                                          float rate,
                                          std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    saved[i] = value[i];
    value[i] -= rate * gradient[i];
  }
}

LASTBIT_VECTORIZE void blend_loop(float* __restrict value,
                                  const float* __restrict from,
                                  float share,
                                  std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) value[i] = from[i] + share * (value[i] - from[i]);
}

}  // namespace

void add_pull(torch::Tensor& gradient,
              const torch::Tensor& value,
              const torch::Tensor& target,
              double strength) {
  if (!gradient.is_cpu()) {
    gradient.add_(value - target, strength);
    return;
  }
  add_pull_loop(gradient.data_ptr<float>(),
                value.data_ptr<float>(),
                target.data_ptr<float>(),
                static_cast<float>(strength),
                gradient.numel());
}

void save_and_step(torch::Tensor& value,
                   torch::Tensor& saved,
                   const torch::Tensor& gradient,
                   double rate) {
  if (!value.is_cpu()) {
    saved.copy_(value);
    value.sub_(gradient, rate);
    return;
  }
  save_and_step_loop(value.data_ptr<float>(),
                     saved.data_ptr<float>(),
                     gradient.data_ptr<float>(),
                     static_cast<float>(rate),
                     value.numel());
}

void blend(torch::Tensor& value, const torch::Tensor& from, double share) {
  if (!value.is_cpu()) {
    value.sub_(from).mul_(share).add_(from);
    return;
  }
  blend_loop(
      value.data_ptr<float>(), from.data_ptr<float>(), static_cast<float>(share), value.numel());
}

}  // namespace lastbit
