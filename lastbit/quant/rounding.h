#pragma once

#include <span>
#include <vector>

#include "lastbit/quant/codebook.h"

namespace lastbit {

/// The least float that is rounded to the upper one of two neighbouring levels rather than to the
/// lower one, as they are decoded: level * scale in float. Ties as `Codebook::nearest` settles
/// them.
/// @param scale  above 0
float rounding_threshold(float low, float high, float scale) noexcept;

/// Rounds weights to the nearest of scaled levels, as they are decoded: in float.
class Rounding {
 public:
  /// @param scale  not negative, and such that no level times it overflows.
  Rounding(const Codebook& levels, float scale);

  /// Gives each weight the code of its nearest level; ties as `Codebook::nearest` settles them. At
  /// scale 0 all get the code of the level nearest to zero.
  /// Large ones are rounded on two threads, with the same result as on one.
  /// @param codes  (weights.size())
  /// @return ||weights - decoded||^2, in double
  double round(std::span<const float> weights, std::span<Code> codes) const;

 private:
  double round_part(std::span<const float> weights, Code* codes) const noexcept;

  std::vector<float> thresholds_;  // (size - 1) the least float that goes to the level above
  std::vector<float> values_;      // (size) decoded levels
  bool zero_;
  Code nearest_zero_;
};

}  // namespace lastbit
