#pragma once

#include <string_view>
#include <vector>

#include <torch/types.h>

#include "lastbit/base/random.h"
#include "lastbit/method/method.h"
#include "lastbit/quant/projector.h"

namespace lastbit {

// Half a unit in the last place of a float32 in [1, 2); a value below 1 is rounded by less.
inline constexpr double kRounding = 0x1p-24;

inline torch::Tensor tensor_of(const std::vector<float>& values) { return torch::tensor(values); }

inline std::vector<float> vector_of(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

inline std::vector<float> decoded(const Quantized& quantized) {
  std::vector<float> values(quantized.codes.size());
  decode(quantized, values);
  return values;
}

inline std::vector<float> random_values(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

/// One layer of `values` as a matrix of `channels` rows, which must end in `set`.
inline Weights one_layer(const std::vector<float>& values,
                         std::string_view set,
                         std::int64_t channels = 1) {
  const auto size = static_cast<std::int64_t>(values.size());
  Weights weights;
  weights.value = tensor_of(values);
  weights.gradient = torch::zeros({size});
  weights.layers = {{.name = "w",
                     .offset = 0,
                     .layout = {1, channels, size / channels},
                     .set = parse_projector(set)}};
  return weights;
}

/// One optimizer step of the trainer on `weights`, with plain gradient descent as the optimizer,
/// whose step size is the learning rate.
///
/// @param slope  gradient of the loss at given weights.
template <typename Slope>
void descend(Method& method, Weights& weights, const Slope& slope, Progress& at) {
  at.step_size = at.learning_rate;
  for (int pass = 0; pass < method.passes(); ++pass) {
    method.before_forward(at, pass);
    weights.gradient.copy_(slope(weights.value));
    method.after_backward(at, pass);
  }
  weights.value.sub_(weights.gradient, at.learning_rate);
  ++at.step;
  method.after_step(at);
}

/// Rounds of `steps` steps each down 1/2 ||w - target||^2.
inline void run_rounds(Method& method,
                       Weights& weights,
                       Progress& at,
                       int rounds,
                       const torch::Tensor& target,
                       int steps = 3) {
  for (int round = 0; round < rounds; ++round) {
    for (int step = 0; step < steps; ++step) {
      descend(
          method, weights, [&](const torch::Tensor& w) { return w - target; }, at);
    }
    method.end_round(at);
    ++at.round;
  }
}

}  // namespace lastbit
