#include "lastbit/quant/alternating.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "lastbit/quant/rounding.h"

namespace lastbit {
namespace {

float mean_magnitude(std::span<const float> weights, std::span<const float> importance) {
  double sum = 0.0;
  double mass = 0.0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double h = importance.empty() ? 1.0 : importance[i];
    sum += h * std::abs(static_cast<double>(weights[i]));
    mass += h;
  }
  return static_cast<float>(sum / mass);
}

}  // namespace

float alternating_scale(std::span<const float> weights,
                        std::span<const float> importance,
                        const Codebook& levels,
                        float start) {
  const double largest =
      std::max(std::abs(levels.levels().front()), std::abs(levels.levels().back()));
  const double limit = std::numeric_limits<float>::max() / std::max(largest, 1.0);
  const auto within = [&](double scale) { return static_cast<float>(std::min(scale, limit)); };
  float scale = within(start > 0.0F ? start : mean_magnitude(weights, importance));
  std::vector<Code> codes(weights.size());
  std::vector<Code> last;
  double last_gain = 0.0;
  while (scale > 0.0F) {
    Rounding(levels, scale).round(weights, codes);
    if (codes == last) break;
    double correlation = 0.0;
    double energy = 0.0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double h = importance.empty() ? 1.0 : importance[i];
      const double level = levels[codes[i]];
      correlation += h * weights[i] * level;
      energy += h * level * level;
    }
    if (correlation <= 0.0) return 0.0F;
    // Each round gains; what does not, but for rounding, would go on for ever.
    const double gain = correlation * correlation / energy;
    if (gain <= last_gain) break;
    last_gain = gain;
    scale = within(correlation / energy);
    last = codes;
  }
  return scale;
}

}  // namespace lastbit
