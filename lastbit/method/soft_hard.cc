#include <cmath>
#include <cstddef>

#include "lastbit/base/vectorize.h"
#include "lastbit/method/exponential.h"
#include "lastbit/method/soft_forms.h"

namespace lastbit {
namespace {

// Ties as in Codebook::nearest: to the level of larger magnitude, and to + between -a and +a.
LASTBIT_VECTORIZE void nearest_level(const float* __restrict latent,
                                     const float* __restrict scale,
                                     const SoftShape& shape,
                                     float* __restrict seen,
                                     std::int64_t count) {
  const auto stretch = static_cast<float>(shape.stretch);
  const std::span<const float> levels = shape.levels;
  for (std::int64_t i = 0; i < count; ++i) seen[i] = levels[0] * scale[i];
  for (std::size_t l = 1; l < levels.size(); ++l) {
    const float q = levels[l];
    const float middle = 0.5F * (levels[l - 1] + q);
    const float least = middle < 0.0F ? std::nextafter(middle, 0.0F) : middle;
    for (std::int64_t i = 0; i < count; ++i) {
      const float x = unit(latent[i], scale[i], stretch);
      seen[i] = x >= least ? q * scale[i] : seen[i];
    }
  }
}

torch::Tensor nearest_level_of(const torch::Tensor& x,
                               const SoftShape& shape,
                               torch::Tensor* /*slope*/) {
  const std::span<const float> levels = shape.levels;
  torch::Tensor result = torch::full_like(x, levels[0]);
  for (std::size_t l = 1; l < levels.size(); ++l) {
    const float middle = 0.5F * (levels[l - 1] + levels[l]);
    result.masked_fill_(middle < 0.0F ? x > middle : x >= middle, levels[l]);
  }
  return result;
}

}  // namespace

SoftForm hard_form() noexcept { return {nearest_level, nullptr, nearest_level_of}; }

}  // namespace lastbit
