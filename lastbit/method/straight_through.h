#pragma once

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
  Granularity per;
  std::vector<float> scales;  ///< as in Quantized: the values of the stairs are levels times scale
};

/// What the straight-through methods share: the network sees latent weights rounded, by thresholds
/// and scales that each method finds in its own way, and what it sees is what is deployed.
class StraightThrough : public LatentMethod {
 protected:
  /// Refuses a layer whose set the method cannot take.
  virtual void check(const ConstrainedWeight& layer) const = 0;
  /// Called once, after `check` on all layers and with all roundings at the projection of the
  /// reference; makes further state.
  virtual void prepare() {}
  /// Brings the stairs and scales (levels where they are learned) of layer `i` up to date.
  /// @param latent  (total)
  virtual void fit(std::size_t i, const torch::Tensor& latent, LayerRounding& rounding) const = 0;

  void start() override;
  void map(const Progress& at, const torch::Tensor& latent, torch::Tensor& seen) const override;
  void round(const Progress& at, const torch::Tensor& latent, LowBitPoint& low_bit) override;

  /// As last fitted.
  const LayerRounding& rounding(std::size_t i) const { return roundings_[i]; }
  const ConstrainedWeight& layer(std::size_t i) const { return weights().layers[i]; }
  std::size_t layers() const { return weights().layers.size(); }

 private:
  // Refitted from the latent weights and the method's state whenever they are used.
  mutable std::vector<LayerRounding> roundings_;
};

}  // namespace lastbit
