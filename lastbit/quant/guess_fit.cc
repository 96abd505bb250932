#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <utility>

#include "lastbit/quant/first_look.h"

namespace lastbit {
namespace {

constexpr std::size_t kSampleRows = 16;
constexpr std::size_t kSample = kSampleRows * Pool::kRow;

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

// About the best scale of rows from all over the weights.
double guess(std::span<const float> levels, const Pool& all) {
  std::array<float, kSample> rows;  // NOLINT(*-pro-type-member-init)
  for (std::size_t i = 0; i < kSampleRows; ++i) {
    const std::size_t row = all.size() / Pool::kRow * i / kSampleRows;
    std::copy_n(&all.magnitudes()[row * Pool::kRow], Pool::kRow, &rows[i * Pool::kRow]);
  }
  std::array<float, Pool::room(kSample)> memory;  // NOLINT(*-pro-type-member-init)
  Magnitudes known;
  const Pool sample(rows, memory.data(), known);
  const float largest = known.largest;
  if (largest == 0.0F) return 0.0;
  const Bracket bracket = whole(levels, sample, kSample, largest);
  // The largest level comes to lie between the mean of weights and the largest of them.
  const double mean = known.sum / static_cast<double>(kSample);
  const double ratio = std::pow(largest / mean, 1.0 / 7.0);
  double scale = mean / levels.back();
  double best = scale;
  double most = 0.0;
  const auto look = [&](double one) {
    const double gain = one * value_at(levels, one, bracket);
    if (gain <= most) return;
    most = gain;
    best = one;
  };
  for (int k = 0; k < 8; ++k, scale *= ratio) look(scale);
  const double rough = best;
  for (int k = -3; k <= 3; ++k) look(rough * std::pow(ratio, 0.25 * k));
  return best;
}

}  // namespace

std::optional<double> best_scale_by_guess(std::span<const float> weights,
                                          std::span<const float> levels,
                                          const FirstLook& look,
                                          double expected) {
  if (weights.size() < kSample) return std::nullopt;
  const std::size_t all_room = Pool::room(weights.size());
  // Where more are left than half of all again, other ways take less time.
  const std::size_t pools_room = 2 * all_room + all_room / 2;
  const auto memory = std::make_unique_for_overwrite<float[]>(all_room + pools_room);
  Magnitudes known;
  const Pool all(weights, memory.get(), known);
  const double mean = known.sum / static_cast<double>(weights.size());
  const double about = expected > 0.0 ? expected * mean : guess(levels, all);
  if (!(about > 0.0) || std::isinf(about)) return std::nullopt;
  Bracket bracket = whole(levels, all, weights.size(), known.largest);
  const float* next = weights.data() + weights.size();
  if (!look.narrow(
          all, next, about, known.largest, bracket, {memory.get() + all_room, pools_room})) {
    return std::nullopt;
  }
  return best_scale(levels, bracket);
}

}  // namespace lastbit
