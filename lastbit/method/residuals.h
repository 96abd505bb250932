#pragma once

#include <string>
#include <vector>

#include <torch/types.h>

#include "lastbit/method/weights.h"

namespace lastbit {

/// One layer after a round.
struct LayerResiduals {
  std::string name = {};
  double primal = 0.0;              ///< ||w - z|| / ||w||, z the low-bit point
  double multiplier = 0.0;          ///< norm of the Lagrange multipliers; 0 where a method has none
  double flipped = 0.0;             ///< share of codes that changed in the round
  double scale = 0.0;               ///< mean of its scales
  double entropy = 0.0;             ///< of the codes, bits a weight
  std::vector<double> shares = {};  ///< of each level among the codes, the lowest level first
};

/// How far the weights are from their sets after a round.
struct Residuals {
  double primal = 0.0;   ///< ||w - z|| / ||w||, z the low-bit point
  double dual = 0.0;     ///< ||z - z of the round before|| / ||w||
  double flipped = 0.0;  ///< share of codes that changed in the round
  double penalty = 0.0;  ///< rho (ADMM), mu (LC), beta (mirror descent); 0 where there is none
  std::vector<LayerResiduals> layers = {};
};

/// The low-bit point z of a method: codes and scales of each layer, and their decoded values.
class LowBitPoint {
 public:
  /// The projection of `weights.value`.
  void begin(const Weights& weights);

  /// Becomes the projection of `flat` (total). A learned codebook starts from the one before.
  void project(const torch::Tensor& flat);
  /// Becomes `low_bit`, one for each layer.
  void assign(std::vector<Quantized> low_bit);

  const std::vector<Quantized>& quantized() const noexcept { return low_bit_; }
  const torch::Tensor& value() const noexcept { return z_; }  ///< (total), decoded

  /// The figures of the last `project` or `assign`.
  /// @param seen         (total) the float weights.
  /// @param multipliers  (total) or undefined where there are none.
  Residuals residuals(const torch::Tensor& seen,
                      double penalty,
                      const torch::Tensor& multipliers = {}) const;

  /// Adds codes, scales and levels to a method's state under "low_bit.LAYER...".
  void save(std::map<std::string, torch::Tensor>& state) const;
  void load(const std::map<std::string, torch::Tensor>& state);

 private:
  // Of one layer.
  struct SquareSums {
    double gap = 0.0;    // ||w - z||^2
    double norm = 0.0;   // ||w||^2
    double moved = 0.0;  // ||z - z of the round before||^2
    double multiplier = 0.0;
  };
  // Read from the device in one go.
  std::vector<SquareSums> square_sums(const torch::Tensor& seen,
                                      const torch::Tensor& multipliers) const;

  std::vector<ConstrainedWeight> layers_;
  std::vector<Quantized> low_bit_;
  std::vector<Quantized> before_;
  torch::Tensor z_;
  torch::Tensor z_before_;
};

}  // namespace lastbit
