#include "lastbit/method/device_projection.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lastbit/method/device_fit.h"

namespace lastbit {
namespace {

// Each takes about 80 bytes on its way.
constexpr std::int64_t kMostSteps = std::int64_t{1} << 26U;

Quantized project_on_cpu(const ProjectionTask& task) {
  const torch::Tensor host = task.weights.to(torch::kCPU).contiguous();
  const std::span<const float> weights(host.data_ptr<float>(),
                                       static_cast<std::size_t>(host.numel()));
  return task.set->project(weights, task.layout, {.start = task.start});
}

bool all_usable(std::span<const ProjectionTask> tasks) {
  std::vector<torch::Tensor> finite;
  for (const ProjectionTask& task : tasks) {
    const ChannelLayout& layout = task.layout;
    const bool positive = layout.before > 0 && layout.channels > 0 && layout.after > 0;
    if (!positive || task.weights.numel() != layout.size()) return false;
    const Quantized* start = task.start;
    const bool starts =
        start == nullptr || (start->layout == layout && start->levels.size() == task.set->size());
    if (!starts) return false;
    finite.push_back(torch::isfinite(task.weights).all());
  }
  return finite.empty() || torch::stack(finite).all().item<bool>();
}

// What is found on the device.
struct Found {
  Quantized point;        // but for codes, scales and error
  torch::Tensor codes;    // (weights) uint8
  torch::Tensor figures;  // (1 + scales) float64: the error, and the scales
};

// The weights of a scale in a row; undefined if their numbers differ.
torch::Tensor rows_of(const ProjectionTask& task, std::int64_t group) {
  const ChannelLayout& layout = task.layout;
  switch (task.set->granularity()) {
    case Granularity::kNone:
    case Granularity::kTensor:
      return task.weights.view({1, -1});
    case Granularity::kChannel:
    case Granularity::kGroup:
      break;
  }
  const std::int64_t in_channel = layout.before * layout.after;
  const std::int64_t row = group == 0 ? in_channel : std::min(group, in_channel);
  if (in_channel % row != 0) return {};
  return task.weights.view({layout.before, layout.channels, layout.after})
      .transpose(0, 1)
      .reshape({-1, row});
}

// The codes of rows, in the order of the weights.
torch::Tensor in_order(const torch::Tensor& codes, const ChannelLayout& layout) {
  if (layout.before == 1) return codes.reshape({-1});
  return codes.view({layout.channels, layout.before, layout.after}).transpose(0, 1).reshape({-1});
}

std::optional<Found> find(const ProjectionTask& task) {
  const Granularity per = task.set->granularity();
  const std::string name = task.set->name();
  if (name.ends_with("/alternating")) return std::nullopt;
  constexpr std::string_view kGroup = "/group:";
  const std::size_t place = name.find(kGroup);
  const std::int64_t group =
      per == Granularity::kGroup ? std::stoll(name.substr(place + kGroup.size())) : std::int64_t{0};
  const torch::Tensor rows = rows_of(task, group);
  if (!rows.defined()) return std::nullopt;

  std::optional<Codebook> levels;
  torch::Tensor scales;
  if (const Codebook* fixed = task.set->levels()) {
    levels = *fixed;
    if (per != Granularity::kNone) {
      if (rows.numel() > kMostSteps / (fixed->size() - 1)) return std::nullopt;
      scales = device::best_scales(rows, *fixed);
    }
  } else if (task.start != nullptr) {
    levels = device::lloyd(task.weights, task.start->levels);
  }
  if (!levels) return std::nullopt;
  if (!scales.defined()) scales = torch::ones({1}, rows.options());

  const device::Rounded rounded = device::round(rows, *levels, scales);
  return Found{.point = {.levels = *levels,
                         .per = per,
                         .layout = task.layout,
                         .scales = std::vector<float>(static_cast<std::size_t>(scales.numel())),
                         .codes = {},
                         .squared_error = 0.0,
                         .group = group},
               .codes = per == Granularity::kNone || per == Granularity::kTensor
                            ? rounded.codes.view({-1})
                            : in_order(rounded.codes, task.layout),
               .figures = torch::cat({rounded.error.view({1}), scales.to(torch::kFloat64)})};
}

}  // namespace

std::vector<Quantized> project_on_device(std::span<const ProjectionTask> tasks) {
  const torch::NoGradGuard no_gradient;
  const bool usable = all_usable(tasks);
  std::vector<Quantized> result;
  std::vector<std::size_t> places;  // in the result, of what was found on the device
  std::vector<torch::Tensor> all_codes;
  std::vector<torch::Tensor> all_figures;
  for (const ProjectionTask& task : tasks) {
    std::optional<Found> found = usable ? find(task) : std::nullopt;
    if (!found) {
      result.push_back(project_on_cpu(task));
      continue;
    }
    places.push_back(result.size());
    result.push_back(std::move(found->point));
    all_codes.push_back(std::move(found->codes));
    all_figures.push_back(std::move(found->figures));
  }
  if (places.empty()) return result;
  const torch::Tensor codes = torch::cat(all_codes).to(torch::kCPU);
  const torch::Tensor figures = torch::cat(all_figures).to(torch::kCPU);
  const Code* code = codes.data_ptr<std::uint8_t>();
  const double* figure = figures.data_ptr<double>();
  for (const std::size_t place : places) {
    Quantized& point = result[place];
    point.codes.assign(code, code + point.layout.size());
    code += point.layout.size();
    point.squared_error = *figure++;
    for (float& scale : point.scales) scale = static_cast<float>(*figure++);
  }
  return result;
}

}  // namespace lastbit
