#include "lastbit/method/residuals.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>

#include "lastbit/base/text.h"

namespace lastbit {
namespace {

// Weights that are all zero are feasible, not infinitely far.
double relative(double square, double norm) { return std::sqrt(square / std::max(norm, 1e-30)); }

std::int64_t flips(const Quantized& before, const Quantized& now) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < now.codes.size(); ++i) count += before.codes[i] != now.codes[i];
  return count;
}

void describe_codes(const Quantized& quantized, LayerResiduals& layer) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(quantized.levels.size()));
  for (const Code code : quantized.codes) ++counts[code];
  const auto total = static_cast<double>(quantized.codes.size());
  for (const std::int64_t count : counts) {
    const double share = static_cast<double>(count) / total;
    layer.shares.push_back(share);
    if (count > 0) layer.entropy -= share * std::log2(share);
  }
  const auto& scales = quantized.scales;
  layer.scale =
      std::accumulate(scales.begin(), scales.end(), 0.0) / static_cast<double>(scales.size());
}

torch::Tensor square_sum(const torch::Tensor& values) {
  return values.square().sum(torch::kFloat64);
}

}  // namespace

void LowBitPoint::begin(const Weights& weights) {
  layers_ = weights.layers;
  low_bit_ = lastbit::project(layers_, weights.value);
  z_ = torch::empty_like(weights.value);
  decode(layers_, low_bit_, z_);
  before_ = low_bit_;
  z_before_ = z_.clone();
}

void LowBitPoint::project(const torch::Tensor& flat) {
  assign(lastbit::project(layers_, flat, &low_bit_));
}

void LowBitPoint::assign(std::vector<Quantized> low_bit) {
  before_ = std::exchange(low_bit_, std::move(low_bit));
  z_before_.copy_(z_);
  decode(layers_, low_bit_, z_);
}

Residuals LowBitPoint::residuals(const torch::Tensor& seen,
                                 double penalty,
                                 const torch::Tensor& multipliers) const {
  Residuals result;
  result.penalty = penalty;
  double gap = 0.0;
  double moved = 0.0;
  double norm = 0.0;
  std::int64_t flipped = 0;
  const std::vector<SquareSums> sums = square_sums(seen, multipliers);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const auto size = static_cast<double>(layers_[i].layout.size());
    const std::int64_t changed = flips(before_[i], low_bit_[i]);
    gap += sums[i].gap;
    norm += sums[i].norm;
    moved += sums[i].moved;
    flipped += changed;
    LayerResiduals layer{.name = layers_[i].name,
                         .primal = relative(sums[i].gap, sums[i].norm),
                         .multiplier = std::sqrt(sums[i].multiplier),
                         .flipped = static_cast<double>(changed) / size};
    describe_codes(low_bit_[i], layer);
    result.layers.push_back(std::move(layer));
  }
  result.primal = relative(gap, norm);
  result.dual = relative(moved, norm);
  const std::int64_t total = z_.numel();
  result.flipped = total == 0 ? 0.0 : static_cast<double>(flipped) / static_cast<double>(total);
  return result;
}

std::vector<LowBitPoint::SquareSums> LowBitPoint::square_sums(
    const torch::Tensor& seen, const torch::Tensor& multipliers) const {
  std::vector<torch::Tensor> all;
  for (const ConstrainedWeight& layer : layers_) {
    const auto slice = [&](const torch::Tensor& flat) {
      return flat.narrow(0, layer.offset, layer.layout.size());
    };
    const torch::Tensor low_bit = slice(z_);
    all.push_back(square_sum(slice(seen) - low_bit));
    all.push_back(square_sum(slice(seen)));
    all.push_back(square_sum(low_bit - slice(z_before_)));
    all.push_back(multipliers.defined() ? square_sum(slice(multipliers))
                                        : torch::zeros_like(all.back()));
  }
  std::vector<SquareSums> result;
  if (all.empty()) return result;
  const torch::Tensor host = torch::stack(all).to(torch::kCPU);
  const double* next = host.data_ptr<double>();
  for (std::size_t i = 0; i < layers_.size(); ++i, next += 4) {
    result.push_back({.gap = next[0], .norm = next[1], .moved = next[2], .multiplier = next[3]});
  }
  return result;
}

void LowBitPoint::save(std::map<std::string, torch::Tensor>& state) const {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const std::string key = cat("low_bit.", layers_[i].name);
    const Quantized& quantized = low_bit_[i];
    const auto levels = quantized.levels.levels();
    state[key + ".codes"] = torch::tensor(quantized.codes, torch::kUInt8);
    state[key + ".scales"] = torch::tensor(quantized.scales);
    state[key + ".levels"] = torch::tensor(std::vector<float>(levels.begin(), levels.end()));
  }
}

void LowBitPoint::load(const std::map<std::string, torch::Tensor>& state) {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const std::string key = cat("low_bit.", layers_[i].name);
    Quantized& quantized = low_bit_[i];
    const torch::Tensor codes = state.at(key + ".codes").to(torch::kCPU).contiguous();
    const auto* first = codes.data_ptr<std::uint8_t>();
    quantized.codes.assign(first, first + codes.numel());
    quantized.scales = floats(state.at(key + ".scales"));
    quantized.levels = Codebook(floats(state.at(key + ".levels")));
  }
  decode(layers_, low_bit_, z_);
  before_ = low_bit_;
  z_before_.copy_(z_);
}

}  // namespace lastbit
