#include "lastbit/method/weights.h"

#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

std::span<const float> slice(const ConstrainedWeight& layer, std::span<const float> all) {
  return all.subspan(static_cast<std::size_t>(layer.offset),
                     static_cast<std::size_t>(layer.layout.size()));
}

// Makes of parts with levels and scales in common one tensor.
void append(std::optional<Quantized>& whole, const Quantized& part) {
  if (!whole) {
    whole = part;
  } else {
    whole->codes.insert(whole->codes.end(), part.codes.begin(), part.codes.end());
  }
  whole->layout = {1, 1, static_cast<std::int64_t>(whole->codes.size())};
}

// Projects layer `first` and all that share its codebook as one tensor.
void project_shared(const std::vector<ConstrainedWeight>& layers,
                    std::size_t first,
                    std::span<const float> all,
                    const std::vector<Quantized>* start,
                    std::vector<std::optional<Quantized>>& result) {
  std::vector<float> joint;
  std::optional<Quantized> joint_start;
  std::vector<std::size_t> members;
  for (std::size_t i = first; i < layers.size(); ++i) {
    if (layers[i].shared != layers[first].shared) continue;
    const auto weights = slice(layers[i], all);
    joint.insert(joint.end(), weights.begin(), weights.end());
    if (start != nullptr) append(joint_start, (*start)[i]);
    members.push_back(i);
  }
  const ChannelLayout layout{1, 1, static_cast<std::int64_t>(joint.size())};
  const Quantized whole =
      layers[first].set->project(joint, layout, {.start = joint_start ? &*joint_start : nullptr});
  std::size_t begin = 0;
  for (const std::size_t i : members) {
    const std::size_t end = begin + static_cast<std::size_t>(layers[i].layout.size());
    Quantized part = whole;
    part.layout = layers[i].layout;
    part.codes.assign(whole.codes.begin() + static_cast<std::ptrdiff_t>(begin),
                      whole.codes.begin() + static_cast<std::ptrdiff_t>(end));
    // The error is told once.
    if (i != first) part.squared_error = 0.0;
    result[i] = std::move(part);
    begin = end;
  }
}

}  // namespace

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
                               const torch::Tensor& flat,
                               const std::vector<Quantized>* start) {
  const torch::Tensor host = flat.detach().to(torch::kCPU).contiguous();
  const std::span<const float> all(host.data_ptr<float>(), static_cast<std::size_t>(host.numel()));
  std::vector<std::optional<Quantized>> found(layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const ConstrainedWeight& layer = layers[i];
    if (found[i]) continue;  // by an earlier layer that shares its codebook
    if (layer.shared >= 0) {
      project_shared(layers, i, all, start, found);
      continue;
    }
    found[i] = layer.set->project(
        slice(layer, all), layer.layout, {.start = start == nullptr ? nullptr : &(*start)[i]});
  }
  std::vector<Quantized> result;
  result.reserve(found.size());
  for (std::optional<Quantized>& one : found) result.push_back(std::move(*one));
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

std::vector<float> floats(const torch::Tensor& tensor) {
  const torch::Tensor host = tensor.to(torch::kCPU).contiguous();
  return {host.data_ptr<float>(), host.data_ptr<float>() + host.numel()};
}

}  // namespace lastbit
