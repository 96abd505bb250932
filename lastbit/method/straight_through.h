#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lastbit/method/latent.h"
#include "lastbit/method/rounding.h"

namespace lastbit {

/// How the latent weights of one layer are rounded at the moment.
struct LayerRounding {
  Staircase stairs;           ///< What the network sees for a latent weight.
  std::vector<float> levels;  ///< those of the set unless the method learns them
  Granularity per = Granularity::kTensor;
  std::vector<float> scales;  ///< as in Quantized; the values of the stairs are levels times scale
  std::int64_t group = 0;     ///< as in Quantized
};

/// What the straight-through methods share: the network sees latent weights rounded, by thresholds
/// and scales that each method finds in its own way, and what it sees is what is deployed.
class StraightThrough : public LatentMethod {
 protected:
  /// Refuses a layer whose set the method cannot take.
  virtual void check(const ConstrainedWeight& layer) const = 0;
  /// Called once, after `check` on all layers; `rounding` is that to the nearest level under the
  /// scales of the reference's projection, and may be changed.
  virtual void prepare(std::size_t /*i*/, LayerRounding& /*rounding*/) {}
  /// Brings the roundings of all layers up to date with the latent weights (total): to the nearest
  /// levels under their scales where nothing else is said.
  virtual void fit(const torch::Tensor& latent, std::vector<LayerRounding>& roundings) const;

  void start() override;
  void map(const Progress& at, const torch::Tensor& latent, torch::Tensor& seen) const override;
  void round(const Progress& at, const torch::Tensor& latent, LowBitPoint& low_bit) override;
  /// Levels and scales of the roundings; `fit` does the rest.
  void save(std::map<std::string, torch::Tensor>& state) const override;
  void restore(const std::map<std::string, torch::Tensor>& state) override;

  /// As last fitted. A method that learns levels or scales moves them here.
  LayerRounding& rounding(std::size_t i) { return roundings_[i]; }
  /// Of all layers, those that share a scale.
  std::vector<Groups> groups() const;
  const ConstrainedWeight& layer(std::size_t i) const { return weights().layers[i]; }
  std::size_t layers() const { return weights().layers.size(); }

 private:
  // `fit` brings them up to date whenever they are used.
  mutable std::vector<LayerRounding> roundings_;
};

}  // namespace lastbit
