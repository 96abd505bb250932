#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "lastbit/base/random.h"

namespace lastbit {

// Weights of several kinds: normal; few distinct values with zeros; of widely different sizes; two
// clusters.
inline std::vector<float> magnitudes_of_kind(int kind, std::size_t count, std::uint64_t seed) {
  Random random(seed, static_cast<std::uint64_t>(kind));
  std::vector<float> magnitudes(count);
  for (float& w : magnitudes) {
    const double x = std::abs(random.normal());
    if (kind == 0) w = static_cast<float>(x);
    if (kind == 1) w = 0.5F * static_cast<float>(random.below(4));
    if (kind == 2) w = static_cast<float>(std::exp(6.0 * random.normal()));
    if (kind == 3) w = static_cast<float>(random.below(2) == 0 ? 1.0 + 0.01 * x : 7.0 + 0.01 * x);
  }
  std::sort(magnitudes.begin(), magnitudes.end());
  return magnitudes;
}

}  // namespace lastbit
