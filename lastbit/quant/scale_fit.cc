#include "lastbit/quant/scale_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace lastbit {
namespace {

// With the scale given, each weight goes to its nearest level. So the assignments that matter are
// those met while the scale falls from infinity to 0: at first all weights are at the level nearest
// to zero, and a weight w > 0 steps up from level m to m' when the scale falls below its event
// 2 w / (m + m'). The optimum is the best of the fits in between (Idelbayev et al., "Optimal
// Quantization Using Scaled Codebook", CVPR 2021). Weights below zero are mirrored, with their
// levels; where these are symmetric, both sides are one.
//
// Two things make this fast. Each step of a side meets the weights in the same order, so one sorted
// array serves all its steps. And intervals of the scale that cannot hold the optimum are passed
// over: sums over the largest weights give the fit at any scale without a sweep, and with it a
// bound.

// With a Fit, the error at scale s is ||w||^2 - (2 s S1 - s^2 S2). The bracket is the gain.

// The best fit seen, within a limit to the scale.
class Best {
 public:
  explicit Best(double limit) : limit_(limit) {}

  void offer(const Fit& fit) noexcept {
    if (fit.s1 <= 0.0) return;                     // better without
    const double gain = fit.s1 * fit.s1 / fit.s2;  // of the scale S1 / S2, without the limit
    if (!(gain >= gain_)) return;
    const double scale = fit.s1 / fit.s2;
    if (scale <= limit_) {
      if (take(gain, scale)) fit_ = fit;
    } else {
      take(limit_ * (2.0 * fit.s1 - limit_ * fit.s2), limit_);
    }
  }

  double gain() const noexcept { return gain_; }
  double scale() const noexcept { return scale_; }
  const Fit& fit() const noexcept { return fit_; }  // the last within the limit

 private:
  bool take(double gain, double scale) noexcept {
    if (gain < gain_ || (gain == gain_ && scale <= scale_)) return false;
    gain_ = gain;
    scale_ = scale;
    return true;
  }

  double limit_;
  double gain_ = 0.0;
  double scale_ = 0.0;
  Fit fit_;
};

// Sums of the largest weights.
class TopSums {
 public:
  TopSums(std::span<const float> ascending, std::span<const float> importance)
      : end_(ascending.data() + ascending.size()),
        end_of_importance_(importance.empty() ? nullptr : importance.data() + importance.size()) {
    const std::size_t blocks = ascending.size() / kBlock;
    sums_.reserve(blocks + 1);
    sums_.emplace_back();
    for (std::size_t i = 0; i < blocks; ++i) {
      const Sums block = sum((i + 1) * kBlock, kBlock);
      sums_.push_back({sums_.back().weights + block.weights, sums_.back().mass + block.mass});
    }
  }

  struct Sums {
    double weights = 0.0;  // of w times its importance
    double mass = 0.0;     // of importance
  };

  Sums of(std::size_t count) const noexcept {
    const Sums& blocks = sums_[count / kBlock];
    const Sums rest = sum(count, count % kBlock);
    return {blocks.weights + rest.weights, blocks.mass + rest.mass};
  }

 private:
  static constexpr std::size_t kBlock = 64;

  // Of `count` weights from the `from`-th largest up. Four sums at a time, for an addition waits
  // for the one before it.
  Sums sum(std::size_t from, std::size_t count) const noexcept {
    const float* first = end_ - from;
    std::array<double, 4> weights{};
    if (end_of_importance_ == nullptr) {
      for (std::size_t i = 0; i < count / 4; ++i) {
        for (std::size_t k = 0; k < 4; ++k) weights[k] += first[4 * i + k];
      }
      for (std::size_t k = 0; k < count % 4; ++k) weights[k] += first[count / 4 * 4 + k];
      return {(weights[0] + weights[1]) + (weights[2] + weights[3]), static_cast<double>(count)};
    }
    const float* importance = end_of_importance_ - from;
    Sums result;
    for (std::size_t i = 0; i < count; ++i) {
      result.weights += static_cast<double>(first[i]) * importance[i];
      result.mass += importance[i];
    }
    return result;
  }

  const float* end_;
  const float* end_of_importance_;  // null where all are 1
  std::vector<Sums> sums_;          // (blocks + 1) of the kBlock * i largest
};

// A step between neighbouring levels m and m'.
struct Step {
  std::size_t pool;       // of the weights that may take it
  double rise;            // m' - m
  double rise_of_square;  // m'^2 - m^2
  double per_weight;      // 2 / (m + m'), so that the event of a weight is per_weight * |w|
};

Step step_of(std::size_t pool, std::span<const float> levels, std::size_t i) {
  const double low = levels[i - 1];
  const double high = levels[i];
  return {pool, high - low, high * high - low * low, 2.0 / (low + high)};
}

// What holds at one scale.
struct Point {
  double scale = 0.0;
  std::vector<std::size_t> taken;  // (steps) weights that have taken each step
  std::size_t events = 0;          // the sum of `taken`
  Fit fit;

  double gain() const noexcept { return scale * (2.0 * fit.s1 - scale * fit.s2); }
};

// Of levels that ascend, the first may be below zero.
double largest_level(std::span<const float> levels) {
  return std::max(std::abs(static_cast<double>(levels.front())),
                  std::abs(static_cast<double>(levels.back())));
}

double limit_of(std::span<const Side> sides) {
  double largest = 0.0;
  for (const Side& side : sides) largest = std::max(largest, largest_level(side.levels));
  return std::numeric_limits<float>::max() / largest;
}

class Search {
 public:
  explicit Search(std::span<const Side> sides) : best_(limit_of(sides)) {
    for (const Side& side : sides) {
      for (std::size_t i = 1; i < side.levels.size(); ++i) {
        steps_.push_back(step_of(weights_.size(), side.levels, i));
      }
      sums_.emplace_back(side.magnitudes, side.importance);
      const double lowest = side.levels.front();
      const TopSums::Sums all = sums_.back().of(side.magnitudes.size());
      start_.s1 += lowest * all.weights;
      start_.s2 += lowest * lowest * all.mass;
      importance_.push_back(side.importance);
      weights_.push_back(side.magnitudes);
      if (side.levels.size() == 1) continue;
      // Zeros never step up.
      const auto positive = std::upper_bound(side.magnitudes.begin(), side.magnitudes.end(), 0.0F);
      const auto zeros = static_cast<std::size_t>(positive - side.magnitudes.begin());
      weights_.back() = side.magnitudes.subspan(zeros);
      if (!side.importance.empty()) importance_.back() = side.importance.subspan(zeros);
    }
    best_.offer(start_);
  }

  Search(std::span<const float> levels, const NarrowSearch& narrow)
      : start_(narrow.base), best_(std::numeric_limits<float>::max() / largest_level(levels)) {
    for (const std::span<const float> magnitudes : narrow.magnitudes) {
      steps_.push_back(step_of(weights_.size(), levels, weights_.size() + 1));
      sums_.emplace_back(magnitudes, std::span<const float>());
      importance_.emplace_back();
      weights_.push_back(magnitudes);
    }
    best_.offer(narrow.attained);
  }

  const Best& best_between(double low, double high) {
    const Point first = at(low);
    const Point last = at(high);
    best_.offer(first.fit);
    best_.offer(last.fit);
    search(first, last);
    return best_;
  }

  double best_scale() {
    double first = 0.0;
    for (std::size_t step = 0; step < steps_.size(); ++step) {
      if (!weights_[steps_[step].pool].empty()) first = std::max(first, event(step, 0));
    }
    if (first == 0.0) return best_.scale();
    // Every event lies below twice the first one.
    search(at(0.0), at(2.0 * first));
    return best_.scale();
  }

 private:
  // Events to be swept rather than split further: about the price of a split.
  static constexpr std::size_t kFew = 64;
  // Above the relative rounding error of the sums.
  static constexpr double kSlack = 1.0 + 1e-9;

  Point at(double scale) const {
    Point point{scale, {}, 0, start_};
    point.taken.reserve(steps_.size());
    for (const Step& step : steps_) {
      const std::span<const float> weights = weights_[step.pool];
      const auto first = std::partition_point(weights.begin(), weights.end(), [&](float weight) {
        return step.per_weight * static_cast<double>(weight) < scale;
      });
      const auto taken = static_cast<std::size_t>(weights.end() - first);
      const TopSums::Sums sums = sums_[step.pool].of(taken);
      point.taken.push_back(taken);
      point.events += taken;
      point.fit.s1 += step.rise * sums.weights;
      point.fit.s2 += step.rise_of_square * sums.mass;
    }
    return point;
  }

  // The most that a scale between two points can gain. The gain g(s) of the nearest assignment is
  // continuous with g' = 2 (S1 - s S2), and S1 and S2 grow while s falls; so g rises from the low
  // point, and likewise from the high one, at most along a line, and lies below both lines.
  static double bound(const Point& low, const Point& high) noexcept {
    const double width = high.scale - low.scale;
    const double up = 2.0 * std::max(0.0, low.fit.s1 - low.scale * high.fit.s2);
    const double down = 2.0 * std::max(0.0, high.scale * low.fit.s2 - high.fit.s1);
    const double ends = std::max(low.gain(), high.gain());
    if (up + down == 0.0) return ends;
    // Where the lines cross; without differences, which would cancel where one is far steeper.
    const double share = up / (up + down);
    return std::max(ends, (1.0 - share) * low.gain() + share * (high.gain() + down * width));
  }

  // Offers all fits with a scale in between that may be the best. The lower half comes first: its
  // own halves then halve the scale until the bounds rule out all that is below, and what they
  // offered on the way rules out most of what is above.
  void search(const Point& low, const Point& high) {
    if (bound(low, high) * kSlack < best_.gain()) return;
    const double middle = low.scale + 0.5 * (high.scale - low.scale);
    const bool splits = middle > low.scale && middle < high.scale;
    if (low.events - high.events <= kFew || !splits) {
      sweep(low, high);
      return;
    }
    const Point point = at(middle);
    best_.offer(point.fit);
    search(low, point);
    search(point, high);
  }

  // The scale where the weight after the `taken` largest takes a step.
  double event(std::size_t step, std::size_t taken) const noexcept {
    const std::span<const float> weights = weights_[steps_[step].pool];
    return steps_[step].per_weight * static_cast<double>(weights[weights.size() - 1 - taken]);
  }

  // Offers every fit in between, the events in falling order.
  void sweep(const Point& low, const Point& high) {
    std::vector<std::size_t> taken = high.taken;
    const auto next_event = [&](std::size_t step) {
      return taken[step] == low.taken[step] ? -1.0 : event(step, taken[step]);
    };
    std::vector<double> events(steps_.size());
    for (std::size_t step = 0; step < steps_.size(); ++step) events[step] = next_event(step);
    Fit fit = high.fit;
    for (std::size_t left = low.events - high.events; left > 0; --left) {
      const auto next =
          static_cast<std::size_t>(std::max_element(events.begin(), events.end()) - events.begin());
      const Step& step = steps_[next];
      const std::span<const float> weights = weights_[step.pool];
      const std::size_t i = weights.size() - 1 - taken[next];
      const double mass = importance_[step.pool].empty() ? 1.0 : importance_[step.pool][i];
      fit.s1 += mass * step.rise * static_cast<double>(weights[i]);
      fit.s2 += mass * step.rise_of_square;
      ++taken[next];
      events[next] = next_event(next);
      best_.offer(fit);
    }
  }

  std::vector<std::span<const float>> weights_;     // (pools) ascending, above zero
  std::vector<std::span<const float>> importance_;  // (pools) of them, or empty
  std::vector<TopSums> sums_;                       // (pools)
  std::vector<Step> steps_;
  Fit start_;  // of all weights at the levels nearest to zero
  Best best_;
};

// The best of all fits between two scales with few events in between: their pools in any order.
Best best_of_few(std::span<const float> levels, const NarrowSearch& narrow) {
  struct Event {
    double scale;
    double s1;
    double s2;
  };
  std::array<Event, kFewEvents> events;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  std::size_t count = 0;
  for (std::size_t i = 0; i < narrow.magnitudes.size(); ++i) {
    const Step step = step_of(i, levels, i + 1);
    for (const float weight : narrow.magnitudes[i]) {
      const auto w = static_cast<double>(weight);
      events[count++] = {step.per_weight * w, step.rise * w, step.rise_of_square};
    }
  }
  std::sort(events.begin(), events.begin() + count, [](const Event& a, const Event& b) {
    return a.scale > b.scale;
  });
  Best best(std::numeric_limits<float>::max() / largest_level(levels));
  best.offer(narrow.attained);
  Fit fit = narrow.base;
  best.offer(fit);
  for (std::size_t i = 0; i < count; ++i) {
    fit.s1 += events[i].s1;
    fit.s2 += events[i].s2;
    best.offer(fit);
  }
  return best;
}

Best best_of(std::span<const float> levels, const NarrowSearch& narrow) {
  std::size_t events = 0;
  for (const std::span<const float> pool : narrow.magnitudes) events += pool.size();
  if (events <= kFewEvents) return best_of_few(levels, narrow);
  return Search(levels, narrow).best_between(narrow.low, narrow.high);
}

}  // namespace

double best_scale(std::span<const float> levels, const NarrowSearch& narrow) {
  return best_of(levels, narrow).scale();
}

Fit best_fit(std::span<const float> levels, const NarrowSearch& narrow) {
  return best_of(levels, narrow).fit();
}

double best_scale(std::span<const Side> sides) { return Search(sides).best_scale(); }

}  // namespace lastbit
