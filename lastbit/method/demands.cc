#include "lastbit/method/demands.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

template <std::size_t kSize>
bool has_levels(const ConstrainedWeight& layer, const std::array<float, kSize>& levels) {
  const auto own = levels_of(layer);
  return std::equal(own.begin(), own.end(), levels.begin(), levels.end());
}

}  // namespace

std::span<const float> levels_of(const ConstrainedWeight& layer) {
  const Codebook* levels = layer.set->levels();
  return levels == nullptr ? std::span<const float>() : levels->levels();
}

bool is_binary(const ConstrainedWeight& layer) {
  return has_levels(layer, std::array{-1.0F, 1.0F});
}

bool is_ternary(const ConstrainedWeight& layer) {
  return has_levels(layer, std::array{-1.0F, 0.0F, 1.0F});
}

bool is_even(const ConstrainedWeight& layer) {
  const auto levels = levels_of(layer);
  if (levels.empty()) return false;
  // Levels that are no binary fractions are off by their rounding.
  const double step = (static_cast<double>(levels.back()) - levels.front()) /
                      static_cast<double>(levels.size() - 1);
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const double even = levels.front() + step * static_cast<double>(i);
    if (std::abs(levels[i] - even) > 1e-4 * step) return false;
  }
  return true;
}

void refuse(std::string_view method, const ConstrainedWeight& layer, std::string_view expected) {
  throw InputError(cat("[",
                       method,
                       "] layer '",
                       layer.name,
                       "' has codebook ",
                       layer.set->name(),
                       ", expected ",
                       expected));
}

void require_own_scale(std::string_view method, const ConstrainedWeight& layer) {
  if (layer.shared < 0) return;
  throw InputError(cat("[",
                       method,
                       "] layer '",
                       layer.name,
                       "' shares its scale with other layers, expected one of its own"));
}

}  // namespace lastbit
