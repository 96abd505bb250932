#include "lastbit/quant/chords.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "lastbit/quant/sort.h"

namespace lastbit {
namespace {

// A step from level m to m' at the scale s gains s (m' - m) (2 w - s (m + m')) where that is above
// zero. So the gain of all weights at their nearest levels is s K(s), where K is a sum of terms
// 2 (m' - m) max(w - s (m + m') / 2, 0) and of a line: convex, so between two scales it is at most
// the chord. s times the chord is a parabola; scales where it is below what some fit attains are
// ruled out.

// So few are swept at once.
constexpr std::size_t kFew = 24;

// More than the rounding of sums in double.
constexpr double kEnough = 1.0 - 1e-9;

struct Step {
  double rise;
  double half_sum;
};

Step step_of(std::span<const float> levels, std::size_t i) {
  const double low = levels[i];
  const double high = levels[i + 1];
  return {high - low, 0.5 * (low + high)};
}

struct Curve {
  Scales values;  // K
  Scales errors;  // K is off by at most that
  double at_low;  // K at the bracket's low is at most that
};

Curve curve_of(std::span<const float> levels, const Scales& scales, const Bracket& bracket) {
  Curve curve{{}, {}, 2.0 * bracket.base.s1 - bracket.low * bracket.base.s2};
  for (std::size_t k = 0; k < scales.size(); ++k) {
    curve.values[k] = 2.0 * bracket.base.s1 - scales[k] * bracket.base.s2;
  }
  for (std::size_t i = 0; i < bracket.pools.size(); ++i) {
    const Pool& pool = bracket.pools[i];
    if (pool.size() == 0) continue;
    const Step step = step_of(levels, i);
    const auto origin = std::bit_cast<float>(bracket.ranges[i].first);
    Pool::Thresholds offsets;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    for (std::size_t k = 0; k < scales.size(); ++k) {
      offsets[k] = std::max(0.0F, static_cast<float>(step.half_sum * scales[k] - origin));
    }
    const auto sums = pool.sums_of_larger(offsets, origin);
    const double twice = 2.0 * step.rise;
    const auto count = static_cast<double>(pool.padded());
    for (std::size_t k = 0; k < scales.size(); ++k) {
      curve.values[k] += twice * (sums[k] - count * offsets[k]);
      // The second term is for offsets that are rounded.
      const double rounding = 0x1p-23 * (origin + static_cast<double>(offsets[k]));
      curve.errors[k] += twice * (Pool::kError * sums[k] + rounding * count);
    }
    // No weight exceeds its threshold at the low by more than the origin.
    curve.at_low += twice * (1.0 + 2.0 * Pool::kError) * sums[0];
  }
  return curve;
}

struct Interval {
  double low;
  double high;
};

// Where in an interval the parabola s (value + slope (s - low)) is at least `gain`.
Interval above(double gain, Interval between, double value, double slope) {
  if (!(slope < 0.0)) return between;
  const double start = value - slope * between.low;
  const double square = start * start + 4.0 * slope * gain;
  if (square < 0.0) return {1.0, 0.0};
  const double root = std::sqrt(square);
  return {std::max(between.low, (start - root) / (-2.0 * slope)),
          std::min(between.high, (start + root) / (-2.0 * slope))};
}

// False if no scale is left, which no rounding that is accounted for brings about.
bool shrink(const Scales& scales, const Curve& curve, Bracket& bracket) {
  for (std::size_t k = 0; k < scales.size(); ++k) {
    bracket.gain = std::max(bracket.gain, scales[k] * (curve.values[k] - curve.errors[k]));
  }
  Interval all{bracket.high, bracket.low};
  double value_low = 0.0;
  double value_high = 0.0;
  Interval between{bracket.low, bracket.low};
  double value = std::min(bracket.value_low, curve.at_low);
  for (std::size_t k = 0; k <= scales.size(); ++k) {
    const bool last = k == scales.size();
    between = {between.high, last ? bracket.high : scales[k]};
    const double next = last ? bracket.value_high : curve.values[k] + curve.errors[k];
    const double before = std::exchange(value, next);
    if (between.high <= between.low) continue;
    const double slope = (next - before) / (between.high - between.low);
    const Interval left = above(bracket.gain * kEnough, between, before, slope);
    if (left.low > left.high) continue;
    if (left.low < all.low) {
      all.low = left.low;
      value_low = before + slope * (left.low - between.low);
    }
    all.high = left.high;
    value_high = before + slope * (left.high - between.low);
  }
  if (all.low > all.high) return false;
  bracket.low = all.low;
  bracket.high = all.high;
  bracket.value_low = value_low;
  bracket.value_high = value_high;
  return true;
}

// Adds the steps taken above the bracket to the base, and drops those not taken within.
void drop(std::span<const float> levels, Bracket& bracket, float* memory) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < bracket.pools.size(); ++i) {
    Pool& pool = bracket.pools[i];
    if (pool.size() == 0) continue;
    const Step step = step_of(levels, i);
    const float least = std::nextafter(static_cast<float>(step.half_sum * bracket.low), 0.0F);
    const float most = std::nextafter(static_cast<float>(step.half_sum * bracket.high), kInfinity);
    const Bucket above = pool.above(most);
    bracket.base.s1 += step.rise * above.sum;
    bracket.base.s2 += 2.0 * step.rise * step.half_sum * above.count;
    const std::uint32_t first = std::max(1U, bits_of(least));
    bracket.ranges[i] = {first, bits_of(most) + 1 - first};
    const std::size_t room = Pool::room(pool.size());
    pool = Pool(pool.magnitudes(),
                bracket.ranges[i],
                memory == nullptr ? pool.magnitudes().data() : memory + i * room);
  }
}

// Sums in float neither overflow nor lose what is below the least normal float.
bool in_middle(std::span<const float> levels, const Bracket& bracket) {
  const double least = bracket.high * step_of(levels, 0).half_sum;
  const double largest = bracket.high * levels.back();
  return least > 1e-30 && largest < 1e30;
}

std::size_t size_of(const Bracket& bracket) {
  std::size_t size = 0;
  for (const Pool& pool : bracket.pools) size += pool.size();
  return size;
}

}  // namespace

Scales values_at(std::span<const float> levels, const Scales& scales, const Bracket& bracket) {
  return curve_of(levels, scales, bracket).values;
}

bool narrow_to(std::span<const float> levels,
               const Scales& scales,
               Bracket& bracket,
               float* memory) {
  if (!in_middle(levels, bracket)) return false;
  if (!shrink(scales, curve_of(levels, scales, bracket), bracket)) return false;
  drop(levels, bracket, memory);
  return true;
}

NarrowSearch narrow(std::span<const float> levels, Bracket& bracket) {
  std::size_t left = size_of(bracket);
  while (left > kFew && bracket.low < bracket.high) {
    Scales scales;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    const bool ends = std::isinf(bracket.value_low);
    const double parts = static_cast<double>(scales.size()) + (ends ? -1.0 : 1.0);
    for (std::size_t k = 0; k < scales.size(); ++k) {
      const double place = (static_cast<double>(k) + (ends ? 0.0 : 1.0)) / parts;
      scales[k] = bracket.low + (bracket.high - bracket.low) * place;
    }
    if (ends) scales.back() = bracket.high;
    if (!narrow_to(levels, scales, bracket)) break;
    const std::size_t before = std::exchange(left, size_of(bracket));
    if (left > before / 2) break;
  }
  std::vector<float> scratch(left);
  NarrowSearch result{bracket.low, bracket.high, bracket.base, {}, bracket.attained};
  for (const Pool& pool : bracket.pools) {
    const std::span<float> own = pool.magnitudes();
    const std::span<float> sorted = sort_floats(own, std::span(scratch).first(own.size()));
    if (sorted.data() != own.data()) std::copy(sorted.begin(), sorted.end(), own.begin());
    result.magnitudes.push_back(own);
  }
  return result;
}

}  // namespace lastbit
