#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <utility>

#include "lastbit/quant/chords.h"

namespace lastbit {
namespace {

constexpr std::size_t kSampleRows = 16;
constexpr std::size_t kSample = kSampleRows * Pool::kRow;

// Of the first scales, as multiples of the guess: close together about it, where the gain hardly
// changes.
constexpr Scales kPlaces = {0.55, 0.8, 0.93, 1.0, 1.07, 1.2, 1.6, 2.7};

// All weights at the level nearest to zero. Zeros never leave it.
Bracket whole(std::span<const float> levels,
              const Pool& positive,
              std::size_t count,
              float largest) {
  const double lowest = levels[0];
  // No fit has a larger scale.
  const double highest = lowest > 0.0 ? largest / lowest : 2.0 * largest / levels[1];
  Bracket bracket{0.0, highest, std::numeric_limits<double>::infinity(), 0.0, {}, 0.0, {}, {}};
  if (lowest > 0.0) {
    const double sum = positive.above(0.0F).sum;
    bracket.base = {lowest * sum, lowest * lowest * static_cast<double>(count)};
    bracket.gain = bracket.base.s1 * bracket.base.s1 / bracket.base.s2;
    bracket.value_high = 2.0 * bracket.base.s1 - highest * bracket.base.s2;
  }
  bracket.ranges.assign(levels.size() - 1, Range{1, std::bit_cast<std::uint32_t>(largest)});
  bracket.pools.assign(levels.size() - 1, positive);
  return bracket;
}

double best_of(std::span<const float> levels, const Scales& scales, const Bracket& bracket) {
  const Scales values = values_at(levels, scales, bracket);
  std::size_t best = 0;
  for (std::size_t k = 1; k < scales.size(); ++k) {
    if (scales[k] * values[k] > scales[best] * values[best]) best = k;
  }
  return scales[best];
}

// About the best scale of rows from all over the weights.
double guess(std::span<const float> levels, const Pool& all) {
  std::array<float, kSample> rows;  // NOLINT(*-pro-type-member-init)
  for (std::size_t i = 0; i < kSampleRows; ++i) {
    const std::size_t row = all.size() / Pool::kRow * i / kSampleRows;
    std::copy_n(&all.magnitudes()[row * Pool::kRow], Pool::kRow, &rows[i * Pool::kRow]);
  }
  std::array<float, Pool::room(kSample)> memory;  // NOLINT(*-pro-type-member-init)
  float largest = 0.0F;
  const Pool sample(rows, memory.data(), largest);
  if (largest == 0.0F) return 0.0;
  const Bracket bracket = whole(levels, sample, kSample, largest);
  // The largest level comes to lie between the mean of weights and the largest of them.
  const double mean = sample.above(0.0F).sum / static_cast<double>(kSample);
  Scales scales;  // NOLINT(*-pro-type-member-init)
  const double ratio = std::pow(largest / mean, 1.0 / static_cast<double>(scales.size() - 1));
  double scale = mean / levels.back();
  for (double& one : scales) one = std::exchange(scale, scale * ratio);
  const double rough = best_of(levels, scales, bracket);
  for (std::size_t k = 0; k < scales.size(); ++k) {
    const double place = 2.0 * static_cast<double>(k) / static_cast<double>(scales.size() - 1);
    scales[k] = rough * (1.0 + (ratio - 1.0) * (place - 1.0));
  }
  return best_of(levels, scales, bracket);
}

}  // namespace

std::optional<double> best_scale_by_guess(std::span<const float> weights,
                                          std::span<const float> levels) {
  if (weights.size() < kSample) return std::nullopt;
  const std::size_t room = Pool::room(weights.size());
  const auto memory = std::make_unique_for_overwrite<float[]>(2 * room);
  float largest = 0.0F;
  const Pool all(weights, memory.get(), largest);
  const double about = guess(levels, all);
  if (about == 0.0) return std::nullopt;
  Bracket bracket = whole(levels, all, weights.size(), largest);
  Scales scales;  // NOLINT(*-pro-type-member-init)
  for (std::size_t k = 0; k < kPlaces.size(); ++k) {
    scales[k] = std::min(bracket.high, about * kPlaces[k]);
  }
  if (!narrow_to(levels, scales, bracket, memory.get() + room)) return std::nullopt;
  if (bracket.pools[0].size() > weights.size() / 4) return std::nullopt;
  return best_scale(levels, narrow(levels, bracket));
}

}  // namespace lastbit
