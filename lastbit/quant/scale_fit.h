#pragma once

#include <memory>
#include <span>
#include <vector>

#include "lastbit/quant/codebook.h"

namespace lastbit {

class FirstLook;

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

/// The fit of one assignment of levels m to weights w: sums of w m and of m^2, each term times its
/// importance.
struct Fit {
  double s1 = 0.0;
  double s2 = 0.0;
};

/// What is left of a search once it is known between which scales the optimum lies.
struct NarrowSearch {
  double low;  ///< Scales, both included.
  double high;
  Fit base;                                        ///< Of all steps taken above `high`.
  std::vector<std::span<const float>> magnitudes;  ///< (steps) that may take each step in between.
  /// A fit that is no worse than any whose own scale, S1 / S2, is not in between.
  Fit attained = {};
};

/// So few weights may be in any order.
constexpr std::size_t kFewEvents = 64;

/// The best scale between two. @param levels  of the one side, as in `Side`.
double best_scale(std::span<const float> levels, const NarrowSearch& narrow);

/// Its fit, where no level comes near to overflow.
Fit best_fit(std::span<const float> levels, const NarrowSearch& narrow);

/// The same as best_scale() of one side, without sorting all weights: fast for many.
/// @param levels  at least two, not negative
/// @param look  of these levels, for up to some thousands of weights; null: none
/// @param expected  the best scale over the mean magnitude, about; 0 if not known. Does not change
///     the result but for rounding.
double best_scale_of_many(std::span<const float> weights,
                          std::span<const float> levels,
                          const FirstLook* look,
                          double expected = 0.0);

/// The levels that weights above zero may take while a scale falls from infinity to 0: the one
/// nearest to zero, and all above it. Mirrored: those of weights below zero, as magnitudes.
std::vector<float> rising_levels(const Codebook& levels, bool mirrored);

/// The same for groups of weights of either sign that share their levels.
class ScaleSearch {
 public:
  explicit ScaleSearch(const Codebook& levels);

  /// @param importance  of each weight; empty: all 1.
  /// @param expected  as of best_scale_of_many()
  double best(std::span<const float> weights,
              std::span<const float> importance,
              double expected = 0.0) const;

 private:
  std::vector<float> up_;    // of weights above zero
  std::vector<float> down_;  // of those below
  std::shared_ptr<const FirstLook> look_;
};

}  // namespace lastbit
