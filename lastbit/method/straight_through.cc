#include "lastbit/method/straight_through.h"

#include <utility>

namespace lastbit {

void StraightThrough::start() {
  for (std::size_t i = 0; i < layers(); ++i) {
    check(layer(i));
    const Quantized& projection = low_bit().quantized()[i];
    const auto levels = projection.levels.levels();
    roundings_.push_back({nearest(layer(i), projection),
                          {levels.begin(), levels.end()},
                          projection.per,
                          projection.scales});
  }
  prepare();
}

void StraightThrough::map(const Progress& /*at*/,
                          const torch::Tensor& latent,
                          torch::Tensor& seen) const {
  for (std::size_t i = 0; i < layers(); ++i) {
    fit(i, latent, roundings_[i]);
    apply(roundings_[i].stairs, latent, seen);
  }
}

void StraightThrough::round(const Progress& /*at*/,
                            const torch::Tensor& latent,
                            LowBitPoint& low_bit) {
  std::vector<Quantized> result;
  for (std::size_t i = 0; i < layers(); ++i) {
    LayerRounding& own = roundings_[i];
    fit(i, latent, own);
    Quantized rounded{Codebook(own.levels),
                      own.per,
                      layer(i).layout,
                      own.scales,
                      codes(own.stairs, latent),
                      0.0};
    rounded.squared_error = squared_error(layer(i), rounded, latent);
    result.push_back(std::move(rounded));
  }
  low_bit.assign(std::move(result));
}

}  // namespace lastbit
