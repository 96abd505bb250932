#include "lastbit/method/device_refit.h"

#include <algorithm>
#include <cstdint>

#include "lastbit/method/refit.h"
#include "lastbit/method/sent.h"
#include "lastbit/method/shared_layers.h"

namespace lastbit {
namespace {

// In double, as refit() takes sums; the factors are exact in it.
torch::Tensor sum_of_products(const torch::Tensor& a, const torch::Tensor& b) {
  return sum_in_groups(a.to(torch::kFloat64) * b);
}

// (before, groups, after) int64
torch::Tensor codes_of(const Quantized& quantized,
                       const ChannelLayout& layout,
                       torch::Device device) {
  torch::Tensor codes = torch::empty({layout.before, layout.channels, layout.after}, torch::kUInt8);
  std::copy(quantized.codes.begin(), quantized.codes.end(), codes.data_ptr<std::uint8_t>());
  return sent_to(device, codes).to(torch::kInt64);
}

}  // namespace

std::unique_ptr<DeviceRefit> DeviceRefit::make(const std::vector<ConstrainedWeight>& layers,
                                               const std::vector<Quantized>& low_bit,
                                               torch::Device device) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (!has_even_groups(layers[i], low_bit[i])) return nullptr;
  }
  auto result = std::make_unique<DeviceRefit>();
  for (const std::vector<std::size_t>& members : shared_layers(layers)) {
    result->parts_.push_back(part_of(members, layers, low_bit, device));
  }
  return result;
}

DeviceRefit::Part DeviceRefit::part_of(const std::vector<std::size_t>& members,
                                       const std::vector<ConstrainedWeight>& layers,
                                       const std::vector<Quantized>& low_bit,
                                       torch::Device device) {
  const Quantized& first = low_bit[members.front()];
  Part part;
  const torch::Tensor levels = sent_to(device, first.levels.levels());
  if (first.per != Granularity::kNone) {
    part.what = Moving::kScales;
    part.moving = sent_to(device, first.scales);
  } else if (has_learned_levels(layers[members.front()], first)) {
    part.what = Moving::kLevels;
    part.moving = levels;
  }
  if (part.what != Moving::kNothing) part.sizes = torch::zeros_like(part.moving, torch::kFloat64);
  for (const std::size_t place : members) {
    Layer layer{place, groups_of(layers[place], low_bit[place]), {}, {}};
    const torch::Tensor codes = codes_of(low_bit[place], layer.groups.layout, device);
    if (part.what == Moving::kLevels) {
      layer.codes = codes;
      for (std::int64_t k = 0; k < levels.numel(); ++k) part.sizes[k] += codes.eq(k).sum();
    } else {
      layer.levels = levels.index_select(0, codes.flatten()).view(codes.sizes());
    }
    if (part.what == Moving::kScales) part.sizes += sum_of_products(layer.levels, layer.levels);
    part.layers.push_back(std::move(layer));
  }
  return part;
}

void DeviceRefit::move(torch::Tensor& flat) {
  for (Part& part : parts_) {
    switch (part.what) {
      case Moving::kNothing:
        for (const Layer& layer : part.layers) grouped(layer.groups, flat).copy_(layer.levels);
        break;
      case Moving::kScales:
        move_scales(part, flat);
        break;
      case Moving::kLevels:
        move_levels(part, flat);
        break;
    }
  }
}

void DeviceRefit::move_scales(Part& part, torch::Tensor& flat) {
  torch::Tensor products = torch::zeros_like(part.sizes);
  for (const Layer& layer : part.layers) {
    products += sum_of_products(grouped(layer.groups, flat), layer.levels);
  }
  const torch::Tensor best = (products / part.sizes).to(torch::kFloat32);
  part.moving = torch::where(products > 0.0, best, part.moving);
  for (const Layer& layer : part.layers) {
    torch::Tensor weights = grouped(layer.groups, flat);
    torch::mul_out(weights, layer.levels, part.moving.view({1, -1, 1}));
  }
}

void DeviceRefit::move_levels(Part& part, torch::Tensor& flat) {
  const std::int64_t count = part.moving.numel();
  torch::Tensor sums = torch::zeros_like(part.sizes);
  for (const Layer& layer : part.layers) {
    const torch::Tensor weights = grouped(layer.groups, flat);
    for (std::int64_t k = 0; k < count; ++k) {
      sums[k] += sum_of_products(weights, layer.codes.eq(k)).sum();
    }
  }
  const torch::Tensor means =
      torch::where(part.sizes > 0.0, (sums / part.sizes).to(torch::kFloat32), part.moving);
  const torch::Tensor ascend =
      (means.narrow(0, 1, count - 1) > means.narrow(0, 0, count - 1)).all() &
      means.isfinite().all();
  part.moving = torch::where(ascend, means, part.moving);
  for (const Layer& layer : part.layers) {
    grouped(layer.groups, flat)
        .copy_(part.moving.index_select(0, layer.codes.flatten()).view(layer.codes.sizes()));
  }
}

void DeviceRefit::read(std::vector<Quantized>& low_bit) const {
  std::vector<torch::Tensor> moving;
  for (const Part& part : parts_) {
    if (part.what != Moving::kNothing) moving.push_back(part.moving);
  }
  if (moving.empty()) return;
  const std::vector<float> all = floats(torch::cat(moving));
  auto next = all.begin();
  for (const Part& part : parts_) {
    if (part.what == Moving::kNothing) continue;
    const std::vector<float> own(next, next + part.moving.numel());
    next += part.moving.numel();
    for (const Layer& layer : part.layers) {
      Quantized& one = low_bit[layer.place];
      if (part.what == Moving::kScales) {
        one.scales = own;
      } else {
        one.levels = Codebook(own);
      }
    }
  }
}

}  // namespace lastbit
