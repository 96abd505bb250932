#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <torch/types.h>

#include "lastbit/method/weights.h"

namespace lastbit {

/// The weights of one layer by the scale they share: element (b, g, a) of [before, groups, after]
/// belongs to group g.
struct Groups {
  std::int64_t offset = 0;  ///< of the layer in the flat tensors of `Weights`
  ChannelLayout layout;     ///< its channels are the groups

  std::int64_t count() const noexcept { return layout.channels; }
  /// Weights in a group.
  std::int64_t size() const noexcept { return layout.before * layout.after; }
};

/// Whether `groups_of` has the groups of `fitted`: those of a kGroup scale must be runs of memory
/// of one length.
bool has_even_groups(const ConstrainedWeight& layer, const Quantized& fitted);

/// The groups that have a scale each in `fitted`, a point of the layer's set; one group of all
/// weights where the scale is none or per tensor.
/// @throws InputError unless `has_even_groups`.
Groups groups_of(const ConstrainedWeight& layer, const Quantized& fitted);

/// The slice of `flat` (total) that holds the layer, as (before, groups, after).
torch::Tensor grouped(const Groups& groups, const torch::Tensor& flat);

/// Sums of (before, groups, after) over the weights of each group, in double: (groups) float64.
torch::Tensor sum_in_groups(const torch::Tensor& by_group);

/// Figures of the groups of each layer: (layers), of each (groups). Where the weights are on a
/// device, those of all layers come from it in one go.
template <typename Number>
using GroupFigures = std::vector<std::vector<Number>>;

/// Mean magnitude in each group of those weights that are above the group's threshold in magnitude;
/// 0 for a group without one. In float32 by blocks, the blocks in double.
/// @param flat        (total) float32
/// @param thresholds  (layers), of each (groups); or empty for the mean of all weights.
GroupFigures<double> mean_magnitudes(std::span<const Groups> layers,
                                     const torch::Tensor& flat,
                                     std::span<const std::vector<float>> thresholds = {});

/// Largest magnitude in each group.
GroupFigures<float> largest_magnitudes(std::span<const Groups> layers, const torch::Tensor& flat);

/// Sum over each group.
GroupFigures<double> group_sums(std::span<const Groups> layers, const torch::Tensor& flat);

}  // namespace lastbit
