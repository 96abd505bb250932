#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "lastbit/base/threads.h"
#include "lastbit/quant/buckets.h"
#include "lastbit/quant/chords.h"
#include "lastbit/quant/first_look.h"
#include "lastbit/quant/scale_fit.h"
#include "lastbit/quant/sort.h"

namespace lastbit {
namespace {

// Weights fall into buckets by the upper bits of their magnitudes: the exponent and some bits of
// the mantissa; the largest weight is in bucket 0, and the last bucket takes all that are far
// smaller. With the number and the sum of each bucket's weights, the fit at a scale is known but
// for the buckets that a threshold lies in: those of `Fit` lie between one without them and one
// with them.
//
// For scales in [a, b] each fit is the one at b without its buckets, and more steps. A step taken
// at the scale e adds e / 2 times as much to S1 as to S2. So S1 is at most S1_b + e_b t / 2 where
// S2 = S2_b + t, e_b the highest such scale, and at most S1_a - e_a (T - t) / 2, where T is what S2
// gains from b to a with its buckets, e_a the lowest scale. S1^2 / S2 is convex along both lines,
// so it is at most that at their ends and where they cross. Scales whose bound is below what some
// fit attains are ruled out, and only weights that may take a step at those left over are sorted,
// or of fewer weights, narrowed further by chords.

// Two parts from here on, with sums of their own: the result does not depend on the threads.
constexpr std::size_t kManyWeights = std::size_t{1} << 17U;

// Passes that compare each weight with some thresholds take less time than buckets where there is
// one step, and the weights lie in the nearest caches.
constexpr std::size_t kMostGuessed = std::size_t{1} << 14U;

class Narrowing {
 public:
  Narrowing(std::span<const float> weights, std::span<const float> levels)
      : weights_(weights),
        levels_(levels),
        parts_(weights.size() < kManyWeights ? 1 : 2),
        low_bits_(weights.size() < kManyWeights ? 16 : 14) {
    for_each_part(
        [&](std::size_t part, std::span<const float> own) { extents_[part] = extent_of(own); });
    largest_ = static_cast<std::uint32_t>(std::max(extents_[0].largest, extents_[1].largest));
    for (std::size_t step = 0; step < levels.size(); ++step) {
      per_weight_.push_back(step == 0 ? 0.0 : 1.0 / half_sum(step));
    }
    // Thresholds below the last bucket would make it be sorted. The best scale of most weights
    // takes the largest level to no less than a sixteenth of the largest weight.
    const int octaves = 4 + std::clamp(std::ilogb(levels.back() / half_sum(1)), 0, 12);
    top_ = largest_ >> low_bits_;
    last_ = std::min(top_, static_cast<std::uint32_t>(octaves) << (23 - low_bits_));
  }

  // False where there is nothing but zeros, or where levels may come near to overflow.
  bool possible() const noexcept {
    return largest_ > 0 && highest_scale() * levels_.back() < std::numeric_limits<float>::max();
  }

  double run(std::unique_ptr<float[]>& first, std::unique_ptr<float[]>& second) {
    count();
    find_range();
    return parts_ == 1 ? pick_few(first) : best_scale(levels_, pick(first, second));
  }

 private:
  double pick_few(std::unique_ptr<float[]>& memory) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    // Fits that hold where no step is taken have scales of their own elsewhere; what is best of
    // them was offered.
    Bracket bracket{low_, high_, kInfinity, kInfinity, at(high_).without, best_, {}, {}, best_fit_};
    std::size_t room = 0;
    for (std::size_t step = 1; step < levels_.size(); ++step) {
      bracket.ranges.push_back(range(step));
      room += Pool::room(size_of(bracket.ranges.back(), 0));
    }
    memory = std::make_unique_for_overwrite<float[]>(room);
    float* next = memory.get();
    for (const Range& one : bracket.ranges) {
      bracket.pools.emplace_back(weights_, one, next);
      next += Pool::room(bracket.pools.back().size());
    }
    return best_scale(levels_, bracket);
  }

  NarrowSearch pick(std::unique_ptr<float[]>& first, std::unique_ptr<float[]>& second) {
    NarrowSearch narrow{low_, high_, at(high_).without, {}};
    std::vector<Range> own_ranges;
    for (std::size_t step = 1; step < levels_.size(); ++step) own_ranges.push_back(range(step));
    const std::vector<Range> all = united(own_ranges);
    std::array<std::size_t, 2> sizes{};
    for (std::size_t part = 0; part < parts_; ++part) {
      for (const Range& one : all) sizes[part] += size_of(one, part);
    }
    const std::size_t size = sizes[0] + sizes[1];
    // Each part may write one more than it has.
    first = std::make_unique_for_overwrite<float[]>(size + 2);
    second = std::make_unique_for_overwrite<float[]>(size + 2);
    for_each_part([&](std::size_t part, std::span<const float> own) {
      extract(own, all, part == 0 ? first.get() : second.get());
    });
    std::copy_n(second.get(), sizes[1], first.get() + sizes[0]);
    const std::span<float> sorted = sort_floats({first.get(), size}, {second.get(), size});
    for (const Range& one : own_ranges) {
      const auto before = [](float w, std::uint32_t bits) { return bits_of(w) < bits; };
      const auto begin = std::lower_bound(sorted.begin(), sorted.end(), one.first, before);
      const auto end = std::lower_bound(begin, sorted.end(), one.first + one.width, before);
      narrow.magnitudes.emplace_back(begin, end);
    }
    return narrow;
  }

  // What holds at one scale.
  struct Point {
    double scale;
    Fit without;  // the buckets that thresholds lie in
    Fit with;
    double highest;       // scale at which a weight in one of these takes the step
    double lowest;        // likewise
    std::uint64_t place;  // the sum of the buckets' numbers
  };

  struct Interval {
    double low;
    double high;
    double bound;
  };

  void for_each_part(const auto& work) const {
    const std::size_t half = weights_.size() / parts_;
    if (parts_ == 1) {
      work(0, weights_);
      return;
    }
    parallel_for(2, std::min(2, usable_processors()), [&](std::size_t begin, std::size_t end) {
      if (begin == 0) work(0, weights_.first(half));
      if (end == 2) work(1, weights_.subspan(half));
    });
  }

  std::uint32_t bucket(std::uint32_t bits) const noexcept {
    // Above the largest weight there is nothing.
    return top_ - std::min(top_, bits >> low_bits_);
  }

  void count() {
    for_each_part([&](std::size_t part, std::span<const float> own) {
      tables_[part].resize(last_ + 1);
      count_in_buckets(own, low_bits_, top_, tables_[part]);
    });
    above_.resize(last_ + 2);
    Bucket all;
    for (std::size_t i = 0; i <= last_; ++i) {
      for (std::size_t part = 0; part < parts_; ++part) {
        all.sum += tables_[part][i].sum;
        all.count += tables_[part][i].count;
      }
      above_[i + 1] = all;
    }
    // Zeros never step up.
    above_.back().count -= extents_[0].zeros + extents_[1].zeros;
  }

  double least_of(std::uint32_t bucket) const noexcept {
    if (bucket >= last_) return 0.0;
    return std::bit_cast<float>((top_ - bucket) << low_bits_);
  }
  // The least float above the bucket.
  double above(std::uint32_t bucket) const noexcept {
    return std::bit_cast<float>((top_ - bucket + 1) << low_bits_);
  }

  double half_sum(std::size_t step) const noexcept {
    return 0.5 * (static_cast<double>(levels_[step - 1]) + levels_[step]);
  }

  // The bucket that the threshold of a step lies in.
  std::uint32_t bucket(std::size_t step, double scale) const noexcept {
    return std::min(bucket(bits_of(static_cast<float>(scale * half_sum(step)))), last_);
  }

  // The weights that may take a step at the scales left over.
  Range range(std::size_t step) const noexcept {
    const std::uint32_t lowest = bucket(step, low_);
    const std::uint32_t first = lowest == last_ ? 1U : (top_ - lowest) << low_bits_;
    const std::uint32_t end = (top_ - bucket(step, high_) + 1) << low_bits_;
    return {first, end - first};
  }

  static std::vector<Range> united(std::vector<Range> ranges) {
    std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
      return a.first < b.first;
    });
    std::vector<Range> result;
    for (const Range& range : ranges) {
      if (!result.empty() && range.first <= result.back().first + result.back().width) {
        Range& last = result.back();
        last.width = std::max(last.width, range.first + range.width - last.first);
      } else {
        result.push_back(range);
      }
    }
    return result;
  }

  // Weights of whole buckets; zeros count in the last.
  std::size_t size_of(const Range& range, std::size_t part) const noexcept {
    const std::uint32_t begin = bucket(range.first + range.width - 1);
    const std::uint32_t end = std::min(bucket(range.first), last_);
    double count = 0.0;
    for (std::uint32_t i = begin; i <= end; ++i) count += tables_[part][i].count;
    if (end == last_) count -= extents_[part].zeros;
    return static_cast<std::size_t>(count);
  }

  Point at(double scale) const noexcept {
    const double lowest = levels_[0];
    const Fit start{lowest * above_.back().sum,
                    lowest * lowest * static_cast<double>(weights_.size())};
    Point point{scale, start, start, 0.0, std::numeric_limits<double>::infinity(), 0};
    for (std::size_t step = 1; step < levels_.size(); ++step) {
      const double low = levels_[step - 1];
      const double high = levels_[step];
      const std::uint32_t i = bucket(step, scale);
      point.without.s1 += (high - low) * above_[i].sum;
      point.without.s2 += (high * high - low * low) * above_[i].count;
      point.with.s1 += (high - low) * above_[i + 1].sum;
      point.with.s2 += (high * high - low * low) * above_[i + 1].count;
      point.highest = std::max(point.highest, above(i) * per_weight_[step]);
      point.lowest = std::min(point.lowest, least_of(i) * per_weight_[step]);
      point.place += i;
    }
    return point;
  }

  // Above which no step is taken.
  double highest_scale() const noexcept { return 2.0 * above(0) / half_sum(1); }

  static double gain(double s1, double s2) noexcept { return s2 > 0.0 ? s1 * s1 / s2 : 0.0; }

  static double bound(const Point& low, const Point& high) noexcept {
    const Fit& a = low.with;
    const Fit& b = high.without;
    const double ends = std::max(gain(a.s1, a.s2), gain(b.s1, b.s2));
    const double total = a.s2 - b.s2;
    const double spread = high.highest - low.lowest;
    if (!(spread > 0.0)) return ends;
    const double crossing = (2.0 * (a.s1 - b.s1) - low.lowest * total) / spread;
    const double t = std::clamp(crossing, 0.0, total);
    return std::max(ends, gain(b.s1 + 0.5 * high.highest * t, b.s2 + t));
  }

  // Leaves in `left` the intervals that may hold the optimum, as narrow as the buckets allow.
  void search(const Point& low, const Point& high) {
    if (!(low.with.s2 > high.without.s2)) return;  // no step is taken in between
    const double most = bound(low, high);
    if (most < best_ * kEnough) return;
    const double width = std::ldexp(1.0, static_cast<int>(low_bits_) - 24);  // of half a bucket
    if (low.place == high.place || high.scale - low.scale <= width * high.scale) {
      left_.push_back({low.scale, high.scale, most});
      return;
    }
    const Point middle = at(low.scale + 0.5 * (high.scale - low.scale));
    offer(middle);
    // The lower half first; see Search of scale_fit.cc.
    search(low, middle);
    search(middle, high);
  }

  void offer(const Point& point) noexcept {
    for (const Fit& fit : {point.without, point.with}) {
      const double own = gain(fit.s1, fit.s2);
      const bool larger = own == best_ && fit.s1 * best_fit_.s2 > best_fit_.s1 * fit.s2;
      if (!(own > best_) && !larger) continue;
      best_ = own;
      best_fit_ = fit;
    }
  }

  void find_range() {
    const Point zero = at(0.0);
    const Point highest = at(highest_scale());
    offer(zero);
    offer(highest);
    search(zero, highest);
    low_ = highest.scale;
    high_ = 0.0;
    for (const Interval& interval : left_) {
      if (interval.bound < best_ * kEnough) continue;
      low_ = std::min(low_, interval.low);
      high_ = std::max(high_, interval.high);
    }
  }

  static constexpr double kEnough = 1.0 - 1e-9;  // more than the rounding of sums

  std::span<const float> weights_;
  std::span<const float> levels_;
  std::vector<double> per_weight_;  // (levels) scale at which a weight of 1 takes the step
  std::size_t parts_;
  unsigned low_bits_;                          // of a weight, which do not tell its bucket
  std::array<Extent, 2> extents_{};            // of each part
  std::uint32_t largest_;                      // bits of the largest magnitude
  std::uint32_t top_;                          // upper bits of it
  std::uint32_t last_;                         // bucket
  std::array<std::vector<Bucket>, 2> tables_;  // of each part
  std::vector<Bucket> above_;                  // (last + 2) of all weights in the buckets before
  double best_ = 0.0;                          // gain that is attained
  Fit best_fit_;                               // by this fit
  std::vector<Interval> left_;
  double low_ = 0.0;
  double high_ = 0.0;
};

}  // namespace

double best_scale_of_many(std::span<const float> weights,
                          std::span<const float> levels,
                          const FirstLook* look,
                          double expected) {
  if (look != nullptr && weights.size() <= kMostGuessed) {
    if (const auto scale = best_scale_by_guess(weights, levels, *look, expected)) return *scale;
  }
  Narrowing narrowing(weights, levels);
  std::unique_ptr<float[]> first;
  std::unique_ptr<float[]> second;
  if (narrowing.possible()) {
    return narrowing.run(first, second);
  }
  first = std::make_unique_for_overwrite<float[]>(weights.size());
  second = std::make_unique_for_overwrite<float[]>(weights.size());
  std::transform(weights.begin(), weights.end(), first.get(), [](float w) { return std::abs(w); });
  const Side side{
      sort_floats({first.get(), weights.size()}, {second.get(), weights.size()}), {}, levels};
  return best_scale(std::span(&side, 1));
}

}  // namespace lastbit
