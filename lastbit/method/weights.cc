#include "lastbit/method/weights.h"

#include <cstddef>
#include <span>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {

Weights Weights::adopt(std::vector<torch::Tensor> parameters,
                       std::vector<ConstrainedWeight> layers) {
  if (parameters.empty() || parameters.size() != layers.size()) {
    throw InputError(cat("[weights] got ",
                         parameters.size(),
                         " parameters for ",
                         layers.size(),
                         " layers, expected as many, and at least one"));
  }
  std::int64_t total = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const torch::Tensor& parameter = parameters[i];
    if (parameter.scalar_type() != torch::kFloat32 ||
        parameter.numel() != layers[i].layout.size() ||
        parameter.device() != parameters.front().device()) {
      throw InputError(cat("[weights] parameter '",
                           layers[i].name,
                           "' has ",
                           parameter.numel(),
                           " ",
                           parameter.dtype().name(),
                           " values, expected ",
                           layers[i].layout.size(),
                           " float32 values on the device of the first"));
    }
    layers[i].offset = total;
    total += parameter.numel();
  }
  const torch::NoGradGuard no_gradient;
  Weights weights;
  const auto options = parameters.front().options().requires_grad(false);
  weights.value = torch::empty({total}, options);
  weights.gradient = torch::zeros({total}, options);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    torch::Tensor& parameter = parameters[i];
    const auto slice = [&](const torch::Tensor& flat) {
      return flat.narrow(0, layers[i].offset, parameter.numel()).view(parameter.sizes());
    };
    slice(weights.value).copy_(parameter);
    parameter.set_data(slice(weights.value));
    parameter.mutable_grad() = slice(weights.gradient);
  }
  weights.layers = std::move(layers);
  return weights;
}

std::vector<Quantized> project(const std::vector<ConstrainedWeight>& layers,
                               const torch::Tensor& flat) {
  const torch::Tensor host = flat.detach().to(torch::kCPU).contiguous();
  const std::span<const float> all(host.data_ptr<float>(), static_cast<std::size_t>(host.numel()));
  std::vector<Quantized> result;
  result.reserve(layers.size());
  for (const ConstrainedWeight& layer : layers) {
    const auto count = static_cast<std::size_t>(layer.layout.size());
    const auto weights = all.subspan(static_cast<std::size_t>(layer.offset), count);
    result.push_back(layer.set->project(weights, layer.layout));
  }
  return result;
}

void decode(const std::vector<ConstrainedWeight>& layers,
            const std::vector<Quantized>& quantized,
            torch::Tensor& flat) {
  const torch::NoGradGuard no_gradient;
  torch::Tensor host = flat.is_cpu() ? flat : torch::empty_like(flat, torch::kCPU);
  const std::span<float> all(host.data_ptr<float>(), static_cast<std::size_t>(host.numel()));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto count = static_cast<std::size_t>(layers[i].layout.size());
    decode(quantized[i], all.subspan(static_cast<std::size_t>(layers[i].offset), count));
  }
  if (!flat.is_cpu()) flat.copy_(host);
}

}  // namespace lastbit
