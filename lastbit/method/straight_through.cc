#include "lastbit/method/straight_through.h"

#include <utility>

namespace lastbit {

namespace {

torch::Tensor tensor_of(const std::vector<float>& values) { return torch::tensor(values); }

}  // namespace

void StraightThrough::start() {
  for (std::size_t i = 0; i < layers(); ++i) {
    check(layer(i));
    const Quantized& projection = low_bit().quantized()[i];
    const auto levels = projection.levels.levels();
    roundings_.push_back({nearest(layer(i), projection),
                          {levels.begin(), levels.end()},
                          projection.per,
                          projection.scales,
                          projection.group});
    prepare(i, roundings_.back());
  }
}

void StraightThrough::map(const Progress& /*at*/,
                          const torch::Tensor& latent,
                          torch::Tensor& seen) const {
  fit(latent, roundings_);
  for (const LayerRounding& rounding : roundings_) apply(rounding.stairs, latent, seen);
}

void StraightThrough::round(const Progress& /*at*/,
                            const torch::Tensor& latent,
                            LowBitPoint& low_bit) {
  fit(latent, roundings_);
  const torch::Tensor host = latent.to(torch::kCPU);
  std::vector<Quantized> result;
  result.reserve(layers());
  for (std::size_t i = 0; i < layers(); ++i) {
    const LayerRounding& own = roundings_[i];
    Quantized rounded{Codebook(own.levels),
                      own.per,
                      layer(i).layout,
                      own.scales,
                      codes(own.stairs, host),
                      0.0,
                      own.group};
    rounded.squared_error = squared_error(layer(i), rounded, host);
    result.push_back(std::move(rounded));
  }
  low_bit.assign(std::move(result));
}

void StraightThrough::fit(const torch::Tensor& /*latent*/,
                          std::vector<LayerRounding>& roundings) const {
  for (LayerRounding& one : roundings) fit_nearest(one.stairs, one.levels, one.scales);
}

std::vector<Groups> StraightThrough::groups() const {
  std::vector<Groups> all;
  for (const LayerRounding& one : roundings_) all.push_back(one.stairs.groups);
  return all;
}

void StraightThrough::save(std::map<std::string, torch::Tensor>& state) const {
  for (std::size_t i = 0; i < layers(); ++i) {
    state["rounding." + layer(i).name + ".levels"] = tensor_of(roundings_[i].levels);
    state["rounding." + layer(i).name + ".scales"] = tensor_of(roundings_[i].scales);
  }
}

void StraightThrough::restore(const std::map<std::string, torch::Tensor>& state) {
  for (std::size_t i = 0; i < layers(); ++i) {
    roundings_[i].levels = floats(state.at("rounding." + layer(i).name + ".levels"));
    roundings_[i].scales = floats(state.at("rounding." + layer(i).name + ".scales"));
  }
}

}  // namespace lastbit
