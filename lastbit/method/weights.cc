#include "lastbit/method/weights.h"

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/method/device_projection.h"
#include "lastbit/method/shared_layers.h"

namespace lastbit {
namespace {

using Members = std::vector<std::size_t>;  // places of layers

// Points with levels and scales in common, as one.
Quantized join(const Members& members, const std::vector<Quantized>& points) {
  Quantized whole = points[members.front()];
  whole.codes.clear();
  for (const std::size_t i : members) {
    whole.codes.insert(whole.codes.end(), points[i].codes.begin(), points[i].codes.end());
  }
  whole.layout = {1, 1, static_cast<std::int64_t>(whole.codes.size())};
  return whole;
}

// Gives each layer its part of what they are as one.
void split(const Quantized& whole,
           const Members& members,
           const std::vector<ConstrainedWeight>& layers,
           std::vector<std::optional<Quantized>>& result) {
  auto begin = whole.codes.begin();
  for (const std::size_t i : members) {
    const auto end = begin + static_cast<std::ptrdiff_t>(layers[i].layout.size());
    Quantized part = whole;
    part.layout = layers[i].layout;
    part.codes.assign(begin, end);
    // The error is told once.
    if (i != members.front()) part.squared_error = 0.0;
    result[i] = std::move(part);
    begin = end;
  }
}

std::vector<Quantized> project_on_cpu(const std::vector<ProjectionTask>& tasks) {
  std::vector<Quantized> result;
  for (const ProjectionTask& task : tasks) {
    const std::span<const float> weights(task.weights.data_ptr<float>(),
                                         static_cast<std::size_t>(task.weights.numel()));
    result.push_back(task.set->project(weights, task.layout, {.start = task.start}));
  }
  return result;
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
  const torch::Tensor all = flat.detach().contiguous();
  const auto slice = [&](std::size_t i) {
    return all.narrow(0, layers[i].offset, layers[i].layout.size());
  };
  const std::vector<Members> parts = shared_layers(layers);
  std::vector<ProjectionTask> tasks;
  std::deque<Quantized> joint_starts;  // which tasks point to
  for (const Members& members : parts) {
    const std::size_t first = members.front();
    ProjectionTask task{layers[first].set.get(),
                        slice(first),
                        layers[first].layout,
                        start == nullptr ? nullptr : &(*start)[first]};
    if (layers[first].shared >= 0) {
      std::vector<torch::Tensor> slices;
      for (const std::size_t i : members) slices.push_back(slice(i));
      task.weights = torch::cat(slices);
      task.layout = {1, 1, task.weights.numel()};
      if (start != nullptr) task.start = &joint_starts.emplace_back(join(members, *start));
    }
    tasks.push_back(std::move(task));
  }
  std::vector<Quantized> points = all.is_cpu() ? project_on_cpu(tasks) : project_on_device(tasks);
  std::vector<std::optional<Quantized>> found(layers.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (layers[parts[i].front()].shared >= 0) {
      split(points[i], parts[i], layers, found);
    } else {
      found[parts[i].front()] = std::move(points[i]);
    }
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
