#pragma once

#include <span>
#include <vector>

#include <torch/types.h>

#include "lastbit/method/groups.h"

namespace lastbit {

/// A function of a weight that is constant between thresholds, one for each group of a layer.
/// Rounding to levels is one, and so is a factor or a mask by region.
struct Staircase {
  Groups groups;
  std::vector<float> thresholds;  ///< (steps, groups), ascending in a group, infinities allowed
  std::vector<float> values;      ///< (steps + 1, groups)

  /// All thresholds and values 0.
  Staircase(const Groups& where, std::size_t steps);

  std::size_t steps() const noexcept {
    return thresholds.size() / static_cast<std::size_t>(groups.count());
  }
  float& threshold(std::size_t step, std::size_t group) noexcept {
    return thresholds[step * static_cast<std::size_t>(groups.count()) + group];
  }
  float& value(std::size_t step, std::size_t group) noexcept {
    return values[step * static_cast<std::size_t>(groups.count()) + group];
  }
};

/// Makes `stairs` the rounding to the nearest of levels times scale, ties as `Codebook::nearest`
/// settles them: `apply` then gives, bit for bit, the decoded projection that has these scales.
/// @param levels  (steps + 1)
/// @param scales  (groups), or one for all groups
void fit_nearest(Staircase& stairs, std::span<const float> levels, std::span<const float> scales);

/// The rounding to the levels and scales of `fitted`, whatever its codes.
Staircase nearest(const ConstrainedWeight& layer, const Quantized& fitted);
std::vector<Staircase> nearest(const std::vector<ConstrainedWeight>& layers,
                               const std::vector<Quantized>& fitted);

/// Writes the staircase of each weight of `from` (total) to its layer's slice of `to` (total):
/// values[k] after k thresholds that are at most the weight. One pass over memory on the CPU for up
/// to three levels. Never the same memory.
void apply(const Staircase& stairs, const torch::Tensor& from, torch::Tensor& to);
void apply(const std::vector<Staircase>& stairs, const torch::Tensor& from, torch::Tensor& to);

/// The same by tensor operations, on any device.
void apply_by_tensors(const Staircase& stairs, const torch::Tensor& from, torch::Tensor& to);

/// The number of thresholds that are at most the weight, for each weight of the layer in `flat`
/// (total).
std::vector<Code> codes(const Staircase& stairs, const torch::Tensor& flat);

/// ||w - z||^2 of the layer's slice of `flat` (total) and what `quantized` stands for.
double squared_error(const ConstrainedWeight& layer,
                     const Quantized& quantized,
                     const torch::Tensor& flat);

}  // namespace lastbit
