#include "lastbit/method/refit.h"

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "lastbit/method/shared_layers.h"
#include "lastbit/quant/runs.h"

namespace lastbit {
namespace {

using Members = std::vector<std::size_t>;  // places of layers

struct Sums {
  std::vector<double> products;  // <w, l>, or the sum of w for a level
  std::vector<double> energies;  // <l, l>, or the count of the level
};

void fit_scales(const std::vector<ConstrainedWeight>& layers,
                const Members& members,
                std::vector<Quantized>& low_bit,
                const float* flat) {
  const std::size_t scales = low_bit[members.front()].scales.size();
  Sums sums{std::vector<double>(scales), std::vector<double>(scales)};
  for (const std::size_t i : members) {
    const Quantized& quantized = low_bit[i];
    const float* weights = flat + layers[i].offset;
    for_each_run(quantized, [&](std::size_t scale, std::size_t begin, std::size_t end) {
      double product = 0.0;
      double energy = 0.0;
      for (std::size_t k = begin; k < end; ++k) {
        const double level = quantized.levels[quantized.codes[k]];
        product += weights[k] * level;
        energy += level * level;
      }
      sums.products[scale] += product;
      sums.energies[scale] += energy;
    });
  }
  for (const std::size_t i : members) {
    for (std::size_t scale = 0; scale < scales; ++scale) {
      if (sums.products[scale] <= 0.0) continue;
      low_bit[i].scales[scale] = static_cast<float>(sums.products[scale] / sums.energies[scale]);
    }
  }
}

void fit_levels(const std::vector<ConstrainedWeight>& layers,
                const Members& members,
                std::vector<Quantized>& low_bit,
                const float* flat) {
  const auto before = low_bit[members.front()].levels.levels();
  Sums sums{std::vector<double>(before.size()), std::vector<double>(before.size())};
  for (const std::size_t i : members) {
    const float* weights = flat + layers[i].offset;
    for (std::size_t k = 0; k < low_bit[i].codes.size(); ++k) {
      sums.products[low_bit[i].codes[k]] += weights[k];
      sums.energies[low_bit[i].codes[k]] += 1.0;
    }
  }
  std::vector<float> levels(before.begin(), before.end());
  for (std::size_t k = 0; k < levels.size(); ++k) {
    if (sums.energies[k] > 0.0) {
      levels[k] = static_cast<float>(sums.products[k] / sums.energies[k]);
    }
    const bool ascends = k == 0 || levels[k] > levels[k - 1];
    if (!ascends || !std::isfinite(levels[k])) return;
  }
  for (const std::size_t i : members) low_bit[i].levels = Codebook(levels);
}

}  // namespace

bool has_learned_levels(const ConstrainedWeight& layer, const Quantized& quantized) {
  const Codebook* fixed = layer.set->levels();
  return fixed == nullptr || *fixed != quantized.levels;
}

void refit(const std::vector<ConstrainedWeight>& layers,
           std::vector<Quantized>& low_bit,
           const float* flat) {
  for (const Members& members : shared_layers(layers)) {
    const std::size_t first = members.front();
    if (low_bit[first].per != Granularity::kNone) {
      fit_scales(layers, members, low_bit, flat);
    } else if (has_learned_levels(layers[first], low_bit[first])) {
      fit_levels(layers, members, low_bit, flat);
    }
  }
}

}  // namespace lastbit
