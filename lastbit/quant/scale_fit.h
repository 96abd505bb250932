#pragma once

#include <span>

namespace lastbit {

/// The scale of the least-squares fit of scaled levels to weights: the global optimum over scales
/// and codes, for levels that are symmetric about zero.
///
/// Exact but for rounding in double. Between two scales of equal error, the larger one. No level
/// becomes larger than the largest float: the scale is at most FLT_MAX / level_magnitudes.back().
///
/// @param magnitudes        of the weights, ascending; in any order if there is one level.
/// @param level_magnitudes  of the levels: {0, 1} for ternary, {1} for binary; not negative,
///     ascending, distinct.
/// @return 0 if all weights are 0.
double best_scale(std::span<const float> magnitudes, std::span<const float> level_magnitudes);

}  // namespace lastbit
