#include "lastbit/method/residuals.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "lastbit/method/fused.h"

namespace lastbit {
namespace {

double flipped_share(const std::vector<Quantized>& before, const std::vector<Quantized>& now) {
  std::int64_t flipped = 0;
  std::int64_t total = 0;
  for (std::size_t i = 0; i < now.size(); ++i) {
    const auto& old_codes = before[i].codes;
    const auto& new_codes = now[i].codes;
    for (std::size_t k = 0; k < new_codes.size(); ++k) flipped += old_codes[k] != new_codes[k];
    total += static_cast<std::int64_t>(new_codes.size());
  }
  return total == 0 ? 0.0 : static_cast<double>(flipped) / static_cast<double>(total);
}

}  // namespace

Residuals residuals(const torch::Tensor& w,
                    const torch::Tensor& z,
                    const torch::Tensor& z_before,
                    const std::vector<Quantized>& before,
                    const std::vector<Quantized>& now,
                    double penalty) {
  const Distances gap = distances(w, z);
  const Distances moved = distances(z, z_before);
  // Weights that are all zero are feasible, not infinitely far.
  const double norm = std::max(gap.norm, 1e-30);
  return {.primal = std::sqrt(gap.between / norm),
          .dual = std::sqrt(moved.between / norm),
          .flipped = flipped_share(before, now),
          .penalty = penalty};
}

}  // namespace lastbit
