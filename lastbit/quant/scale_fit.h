#pragma once

#include <span>
#include <vector>

#include "lastbit/quant/codebook.h"

namespace lastbit {

/// Weights of one sign, as magnitudes, and the levels that they may take while a scale falls from
/// infinity to 0. For weights below zero, weights and levels are both mirrored.
struct Side {
  std::span<const float> magnitudes;  ///< Ascending; in any order if there is one level.
  std::span<const float> importance;  ///< Of each squared error, in the same order; empty: all 1.
  std::span<const float> levels;      ///< Ascending: the one nearest to zero, and all above it.
};

/// The scale of the least-squares fit of scaled levels to weights: the global optimum over scales
/// and codes.
///
/// Exact but for rounding in double. Between two scales of equal error, the larger one. No level
/// becomes larger than the largest float: the scale is at most FLT_MAX / the largest magnitude of
/// a level.
///
/// @return 0 if no scale brings the levels nearer to the weights than zeros are.
double best_scale(std::span<const Side> sides);

/// The same for a group of weights of either sign.
/// @param importance  of each weight; empty: all 1.
double best_scale(std::span<const float> weights,
                  std::span<const float> importance,
                  const Codebook& levels);

}  // namespace lastbit
