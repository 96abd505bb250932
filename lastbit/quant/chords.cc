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

// So few are swept at once: about the price of a round.
constexpr std::size_t kFew = 40;

// A round that rules out a smaller share of the weights is the last one.
constexpr std::size_t kUseless = 16;

// Two good scales may lie far apart: of more weights, with a gap as wide a share of the scales
// left, both ends are searched on their own.
constexpr std::size_t kManyFew = 4;
constexpr double kWide = 0.25;

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

// Of a round, so that few rounds do.
constexpr std::size_t kScales = 2 * Pool::kThresholds;
using Scales = std::array<double, kScales>;

struct Curve {
  Scales values;      // K
  Scales errors{};    // K is off by at most that
  double at_low = 0;  // K at the bracket's low is at most that
};

// Adds what a step gains at some scales, from the first of them on.
void add_step(const Step& step,
              const Pool& pool,
              float origin,
              const Scales& scales,
              std::size_t first,
              Curve& curve) {
  Pool::Thresholds offsets;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  for (std::size_t k = 0; k < offsets.size(); ++k) {
    offsets[k] = std::max(0.0F, static_cast<float>(step.half_sum * scales[first + k] - origin));
  }
  const auto sums = pool.sums_of_larger(offsets, origin);
  const double twice = 2.0 * step.rise;
  const auto count = static_cast<double>(pool.padded());
  for (std::size_t k = 0; k < offsets.size(); ++k) {
    curve.values[first + k] += twice * (sums[k] - count * offsets[k]);
    // The second term is for offsets that are rounded.
    const double rounding = 0x1p-23 * (origin + static_cast<double>(offsets[k]));
    curve.errors[first + k] += twice * (Pool::kError * sums[k] + rounding * count);
  }
  // No weight exceeds its threshold at the low by more than the origin.
  if (first == 0) curve.at_low += twice * (1.0 + 2.0 * Pool::kError) * sums[0];
}

Curve curve_of(std::span<const float> levels, const Scales& scales, const Bracket& bracket) {
  Curve curve;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  curve.at_low = 2.0 * bracket.base.s1 - bracket.low * bracket.base.s2;
  for (std::size_t k = 0; k < kScales; ++k) {
    curve.values[k] = 2.0 * bracket.base.s1 - scales[k] * bracket.base.s2;
  }
  for (std::size_t i = 0; i < bracket.pools.size(); ++i) {
    const Pool& pool = bracket.pools[i];
    if (pool.size() == 0) continue;
    const auto origin = std::bit_cast<float>(bracket.ranges[i].first);
    for (std::size_t first = 0; first < kScales; first += Pool::kThresholds) {
      add_step(step_of(levels, i), pool, origin, scales, first, curve);
    }
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

// Scales amid others that are ruled out; at the ends, K is at most that.
struct Gap {
  Knot low{};
  Knot high{};

  double width() const noexcept { return high.scale - low.scale; }
};

// Tells the widest gap. False if no scale is left, which no rounding that is accounted for brings
// about.
bool shrink(std::span<const Knot> knots, Bracket& bracket, Gap& gap) {
  bool any = false;
  Knot low{};
  Knot high{};
  Knot before{bracket.low, bracket.value_low};
  const auto look = [&](const Knot& knot) {
    const Knot start = std::exchange(before, knot);
    if (knot.scale <= start.scale) return;
    const double slope = (knot.most - start.most) / (knot.scale - start.scale);
    const Interval left =
        above(bracket.gain * kEnough, {start.scale, knot.scale}, start.most, slope);
    if (left.low > left.high) return;
    const Knot first{left.low, start.most + slope * (left.low - start.scale)};
    if (!any) low = first;
    if (any && first.scale - high.scale > gap.width()) gap = {high, first};
    high = {left.high, start.most + slope * (left.high - start.scale)};
    any = true;
  };
  for (const Knot& knot : knots) {
    if (knot.scale < bracket.high) look(knot);
  }
  look({bracket.high, bracket.value_high});
  if (!any) return false;
  bracket.low = low.scale;
  bracket.high = high.scale;
  bracket.value_low = low.most;
  bracket.value_high = high.most;
  return true;
}

// Adds the steps taken above the bracket to the base, and drops those not taken within.
bool drop(std::span<const float> levels, Bracket& bracket, std::span<float> memory) {
  const bool in_place = memory.empty();
  for (std::size_t i = 0; i < bracket.pools.size(); ++i) {
    Pool& pool = bracket.pools[i];
    if (pool.size() == 0) continue;
    if (!in_place && memory.size() < Pool::room(pool.size())) return false;
    const Step step = step_of(levels, i);
    // One float more at either end, for thresholds that are rounded.
    const std::uint32_t least = bits_of(static_cast<float>(step.half_sum * bracket.low));
    const std::uint32_t most = bits_of(static_cast<float>(step.half_sum * bracket.high)) + 1;
    const std::uint32_t first = std::max(2U, least) - 1;
    bracket.ranges[i] = {first, most + 1 - first};
    Bucket above;
    pool =
        Pool(pool, bracket.ranges[i], in_place ? pool.magnitudes().data() : memory.data(), above);
    bracket.base.s1 += step.rise * above.sum;
    bracket.base.s2 += 2.0 * step.rise * step.half_sum * above.count;
    if (!in_place) memory = memory.subspan(Pool::room(pool.size()));
  }
  return true;
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

// One round of the search: rules out scales by what holds at some of them, evenly spaced.
bool narrow_once(std::span<const float> levels, Bracket& bracket, Gap& gap) {
  Scales scales;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  const bool ends = std::isinf(bracket.value_low);
  const double parts = static_cast<double>(kScales) + (ends ? -1.0 : 1.0);
  for (std::size_t k = 0; k < kScales; ++k) {
    const double place = (static_cast<double>(k) + (ends ? 0.0 : 1.0)) / parts;
    scales[k] = bracket.low + (bracket.high - bracket.low) * place;
  }
  if (ends) scales.back() = bracket.high;
  const Curve curve = curve_of(levels, scales, bracket);
  std::array<Knot, kScales> knots;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  for (std::size_t k = 0; k < kScales; ++k) {
    knots[k] = {scales[k], curve.values[k] + curve.errors[k]};
    bracket.gain = std::max(bracket.gain, scales[k] * (curve.values[k] - curve.errors[k]));
  }
  bracket.value_low = std::min(bracket.value_low, curve.at_low);
  if (ends) bracket.value_high = knots.back().most;
  return shrink(knots, bracket, gap) && drop(levels, bracket, {});
}

NarrowSearch sorted(const Bracket& bracket) {
  const std::size_t left = size_of(bracket);
  NarrowSearch result{bracket.low, bracket.high, bracket.base, {}, bracket.attained};
  result.magnitudes.reserve(bracket.pools.size());
  std::vector<float> scratch(left <= kFewEvents ? 0 : left);
  for (const Pool& pool : bracket.pools) {
    const std::span<float> own = pool.magnitudes();
    if (left <= kFewEvents) {
      result.magnitudes.push_back(own);
      continue;
    }
    const std::span<float> order = sort_floats(own, std::span(scratch).first(own.size()));
    if (order.data() != own.data()) std::copy(order.begin(), order.end(), own.begin());
    result.magnitudes.push_back(own);
  }
  return result;
}

void narrow(std::span<const float> levels, Bracket& bracket);

// Searches what is above the gap, and leaves what is below it.
void split(std::span<const float> levels, const Gap& gap, Bracket& bracket) {
  Bracket upper = bracket;
  std::size_t room = 0;
  for (const Pool& pool : bracket.pools) room += Pool::room(pool.size());
  std::vector<float> memory(room);
  upper.low = gap.high.scale;
  upper.value_low = gap.high.most;
  drop(levels, upper, memory);
  narrow(levels, upper);
  const Fit fit = best_fit(levels, sorted(upper));
  if (fit.s2 > 0.0) {
    bracket.attained = fit;
    bracket.gain = std::max(bracket.gain, fit.s1 * fit.s1 / fit.s2);
  }
  bracket.high = gap.low.scale;
  bracket.value_high = gap.low.most;
  drop(levels, bracket, {});
}

void narrow(std::span<const float> levels, Bracket& bracket) {
  std::size_t left = size_of(bracket);
  while (left > kFew && bracket.low < bracket.high && in_middle(levels, bracket)) {
    Gap gap;
    if (!narrow_once(levels, bracket, gap)) {
      // Nothing here is as good as what is attained elsewhere.
      if (bracket.attained.s2 > 0.0) std::fill(bracket.pools.begin(), bracket.pools.end(), Pool());
      return;
    }
    const bool apart = gap.width() > kWide * (bracket.high - bracket.low);
    if (apart && size_of(bracket) > kManyFew * kFew) split(levels, gap, bracket);
    const std::size_t before = std::exchange(left, size_of(bracket));
    if (left > before - before / kUseless) return;
  }
}

}  // namespace

double value_at(std::span<const float> levels, double scale, const Bracket& bracket) {
  double value = 2.0 * bracket.base.s1 - scale * bracket.base.s2;
  for (std::size_t i = 0; i < bracket.pools.size(); ++i) {
    const Step step = step_of(levels, i);
    const auto threshold = static_cast<float>(step.half_sum * scale);
    const Bucket above = bracket.pools[i].above(threshold);
    value += 2.0 * step.rise * (above.sum - threshold * above.count);
  }
  return value;
}

bool narrow_to(std::span<const float> levels,
               std::span<const Knot> knots,
               Bracket& bracket,
               std::span<float> memory) {
  Gap gap;
  return in_middle(levels, bracket) && shrink(knots, bracket, gap) && drop(levels, bracket, memory);
}

double best_scale(std::span<const float> levels, Bracket& bracket) {
  narrow(levels, bracket);
  return best_scale(levels, sorted(bracket));
}

}  // namespace lastbit
