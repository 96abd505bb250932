#include "lastbit/quant/scale_fit.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <vector>

namespace lastbit {
namespace {

// With the scale given, each weight goes to its nearest level. So the assignments that matter are
// those met while the scale falls from infinity to 0: at first all weights are at the smallest
// level, and a weight steps up from level m to m' when the scale falls below its event
// 2 |w| / (m + m'). The optimum is the best of the fits in between (Idelbayev et al., "Optimal
// Quantization Using Scaled Codebook", CVPR 2021).
//
// Two things make this fast. Each step meets the weights in the same order, so one sorted array
// serves all steps. And intervals of the scale that cannot hold the optimum are passed over: sums
// over the largest weights give the fit at any scale without a sweep, and with it a bound.

// The fit of one assignment: with S1 = sum |w| m and S2 = sum m^2 over the magnitudes m of the
// assigned levels, the error at scale s is ||w||^2 - (2 s S1 - s^2 S2). The bracket is the gain.
struct Fit {
  double s1 = 0.0;
  double s2 = 0.0;
};

// The best fit seen, within a limit to the scale.
class Best {
 public:
  explicit Best(double limit) : limit_(limit) {}

  void offer(const Fit& fit) noexcept {
    const double gain = fit.s1 * fit.s1 / fit.s2;  // of the scale S1 / S2, without the limit
    if (!(gain >= gain_)) return;
    const double scale = fit.s1 / fit.s2;
    if (scale <= limit_) {
      take(gain, scale);
    } else {
      take(limit_ * (2.0 * fit.s1 - limit_ * fit.s2), limit_);
    }
  }

  double gain() const noexcept { return gain_; }
  double scale() const noexcept { return scale_; }

 private:
  void take(double gain, double scale) noexcept {
    if (gain < gain_ || (gain == gain_ && scale <= scale_)) return;
    gain_ = gain;
    scale_ = scale;
  }

  double limit_;
  double gain_ = 0.0;
  double scale_ = 0.0;
};

// Sums of the largest weights.
class TopSums {
 public:
  explicit TopSums(std::span<const float> ascending) : end_(ascending.data() + ascending.size()) {
    const std::size_t blocks = ascending.size() / kBlock;
    sums_.reserve(blocks + 1);
    sums_.push_back(0.0);
    for (std::size_t i = 0; i < blocks; ++i) {
      sums_.push_back(sums_.back() + block(end_ - (i + 1) * kBlock));
    }
  }

  double of(std::size_t count) const noexcept {
    double sum = sums_[count / kBlock];
    const float* last = end_ - count / kBlock * kBlock;
    for (std::size_t i = 1; i <= count % kBlock; ++i) sum += *(last - i);
    return sum;
  }

 private:
  static constexpr std::size_t kBlock = 64;

  // Four sums at a time, for an addition waits for the one before it.
  static double block(const float* first) noexcept {
    std::array<double, 4> lanes{};
    for (std::size_t i = 0; i < kBlock; i += 4) {
      for (std::size_t k = 0; k < 4; ++k) lanes[k] += first[i + k];
    }
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
  }

  const float* end_;
  std::vector<double> sums_;  // (blocks + 1) of the kBlock * i largest
};

// A step between neighbouring levels m and m'.
struct Step {
  double rise;            // m' - m
  double rise_of_square;  // m'^2 - m^2
  double per_weight;      // 2 / (m + m'), so that the event of a weight is per_weight * |w|
};

// What holds at one scale.
struct Point {
  double scale = 0.0;
  std::vector<std::size_t> taken;  // (steps) weights that have taken each step
  std::size_t events = 0;          // the sum of `taken`
  Fit fit;

  double gain() const noexcept { return scale * (2.0 * fit.s1 - scale * fit.s2); }
};

class Search {
 public:
  Search(std::span<const float> magnitudes, std::span<const float> level_magnitudes)
      : sums_(magnitudes),
        best_(std::numeric_limits<float>::max() / static_cast<double>(level_magnitudes.back())) {
    for (std::size_t i = 1; i < level_magnitudes.size(); ++i) {
      const double low = level_magnitudes[i - 1];
      const double high = level_magnitudes[i];
      steps_.push_back({high - low, high * high - low * low, 2.0 / (low + high)});
    }
    const double lowest = level_magnitudes.front();
    start_.s1 = lowest * sums_.of(magnitudes.size());
    start_.s2 = lowest * lowest * static_cast<double>(magnitudes.size());
    if (lowest > 0.0) best_.offer(start_);
    // Zeros never step up.
    const auto positive = std::upper_bound(magnitudes.begin(), magnitudes.end(), 0.0F);
    if (!steps_.empty()) weights_ = {positive, magnitudes.end()};
  }

  double best_scale() {
    if (weights_.empty()) return best_.scale();
    // Every event lies below twice the first one.
    const double first = steps_.front().per_weight * static_cast<double>(weights_.back());
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
      const auto first = std::partition_point(weights_.begin(), weights_.end(), [&](float weight) {
        return step.per_weight * static_cast<double>(weight) < scale;
      });
      const auto taken = static_cast<std::size_t>(weights_.end() - first);
      point.taken.push_back(taken);
      point.events += taken;
      point.fit.s1 += step.rise * sums_.of(taken);
      point.fit.s2 += step.rise_of_square * static_cast<double>(taken);
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
    const double crossing = (high.gain() - low.gain() + down * width) / (up + down);
    const double x = std::clamp(crossing, 0.0, width);
    return std::max(ends, std::min(low.gain() + up * x, high.gain() + down * (width - x)));
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

  // Offers every fit in between, the events in falling order.
  void sweep(const Point& low, const Point& high) {
    std::vector<std::size_t> taken = high.taken;
    const auto event = [&](std::size_t step) {
      if (taken[step] == low.taken[step]) return -1.0;
      return steps_[step].per_weight *
             static_cast<double>(weights_[weights_.size() - 1 - taken[step]]);
    };
    Fit fit = high.fit;
    for (std::size_t left = low.events - high.events; left > 0; --left) {
      std::size_t next = 0;
      for (std::size_t step = 1; step < steps_.size(); ++step) {
        if (event(step) > event(next)) next = step;
      }
      fit.s1 +=
          steps_[next].rise * static_cast<double>(weights_[weights_.size() - 1 - taken[next]]);
      fit.s2 += steps_[next].rise_of_square;
      ++taken[next];
      best_.offer(fit);
    }
  }

  std::span<const float> weights_;  // ascending, above zero
  TopSums sums_;
  std::vector<Step> steps_;
  Fit start_;  // of all weights at the smallest level
  Best best_;
};

}  // namespace

double best_scale(std::span<const float> magnitudes, std::span<const float> level_magnitudes) {
  return Search(magnitudes, level_magnitudes).best_scale();
}

}  // namespace lastbit
