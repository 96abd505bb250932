#include "lastbit/quant/first_look.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace lastbit {
namespace {

// The excess of a threshold t is the sum of max(w - t, 0). It is convex, so where it is known for
// some thresholds, it is at most the chord in between. The steps of a scale s have the thresholds
// s (m + m') / 2, and all of them share what is known. Upper bounds of K at some scales follow, and
// upper bounds at the ends of an interval are as good as values there.

// Scales whose gain is found, as multiples of the guess. With more steps, thresholds are better
// spent elsewhere than on the middle one.
constexpr std::array kCorePlaces = {0.9, 1.1, 1.0};

std::size_t cores_for(std::size_t steps) { return steps > 2 ? 2 : 3; }

// Where K is bounded. Ascending; sets of powers of two are nearly as good at twice the best scale.
constexpr std::array kPlaces = {0.0, 0.2,  0.35, 0.5,  0.62, 0.7,  0.77, 0.83, 0.88, 0.94,
                                1.0, 1.06, 1.13, 1.19, 1.26, 1.35, 1.45, 1.57, 1.7,  1.85,
                                2.0, 2.2,  2.5,  3.0,  4.0,  6.0,  10.0, 20.0, 50.0};

// The ends of the thresholds, of the first and the last step at the guess.
constexpr double kLeast = 0.7;
constexpr double kMost = 1.8;

double half_sum(std::span<const float> levels, std::size_t step) {
  return 0.5 * (static_cast<double>(levels[step]) + levels[step + 1]);
}

double twice_rise(std::span<const float> levels, std::size_t step) {
  return 2.0 * (static_cast<double>(levels[step + 1]) - levels[step]);
}

}  // namespace

FirstLook::FirstLook(std::span<const float> levels) : levels_(levels.begin(), levels.end()) {
  static_assert(kPlaces.size() == kScales);
  lay_out_thresholds();
  lay_out_scales();
}

void FirstLook::lay_out_thresholds() {
  const std::size_t steps = levels_.size() - 1;
  thresholds_ = {kLeast * half_sum(levels_, 0), kMost * half_sum(levels_, steps - 1)};
  for (std::size_t step = 0; step < steps; ++step) {
    for (std::size_t k = 0; k < cores_for(steps); ++k) {
      thresholds_.push_back(kCorePlaces[k] * half_sum(levels_, step));
    }
  }
  std::sort(thresholds_.begin(), thresholds_.end());
  thresholds_.erase(std::unique(thresholds_.begin(), thresholds_.end()), thresholds_.end());
  // The widest gaps between square roots are halved: about what evens out the errors of the chords,
  // for smaller levels lie closer together.
  while (thresholds_.size() < Pool::kThresholds * (steps / 2 + 1)) {
    std::size_t widest = 1;
    const auto root = [&](std::size_t i) { return std::sqrt(thresholds_[i]); };
    const auto width = [&](std::size_t i) { return root(i) - root(i - 1); };
    for (std::size_t i = 2; i < thresholds_.size(); ++i) {
      if (width(i) > width(widest)) widest = i;
    }
    const double middle = 0.5 * (root(widest - 1) + root(widest));
    thresholds_.insert(thresholds_.begin() + static_cast<std::ptrdiff_t>(widest), middle * middle);
  }
}

void FirstLook::lay_out_scales() {
  std::vector<double> points = thresholds_;
  points.insert(points.begin(), 0.0);
  for (std::size_t step = 0; step + 1 < levels_.size(); ++step) {
    const double rise = twice_rise(levels_, step);
    for (std::size_t i = 0; i < kScales; ++i) {
      const double t = kPlaces[i] * half_sum(levels_, step);
      const auto scale = static_cast<std::uint8_t>(i);
      if (t >= points.back()) {
        tails_.push_back({scale, t, rise});
        continue;
      }
      const auto above = std::upper_bound(points.begin(), points.end(), t) - points.begin();
      const auto point = static_cast<std::size_t>(above - 1);
      const double share = (t - points[point]) / (points[point + 1] - points[point]);
      terms_.push_back(
          {scale, static_cast<std::uint8_t>(point), rise * (1.0 - share), rise * share});
    }
    for (std::size_t k = 0; k < cores_for(levels_.size() - 1); ++k) {
      const double t = kCorePlaces[k] * half_sum(levels_, step);
      const auto point = std::lower_bound(points.begin(), points.end(), t) - points.begin();
      cores_.push_back({static_cast<std::uint8_t>(point), rise});
    }
  }
}

bool FirstLook::narrow(const Pool& all,
                       const float* next,
                       double about,
                       float largest,
                       Bracket& bracket,
                       std::span<float> memory) const {
  const std::size_t count = thresholds_.size();
  // Excesses are between these, the first that of 0.
  std::array<double, kMostThresholds + 1> least{};
  std::array<double, kMostThresholds + 1> most{};
  const auto weights = static_cast<double>(all.padded());
  const std::size_t passes = count / Pool::kThresholds;
  for (std::size_t begin = 0; begin < count; begin += Pool::kThresholds) {
    Pool::Thresholds own;  // NOLINT(*-pro-type-member-init)
    for (std::size_t k = 0; k < own.size(); ++k) {
      own[k] = static_cast<float>(about * thresholds_[begin + k]);
    }
    const auto sums = all.sums_of_larger(
        own, 0.0F, next + begin / Pool::kThresholds * all.size() / passes, Pool::kRow / passes);
    for (std::size_t k = 0; k < own.size(); ++k) {
      // The second term is for thresholds that are rounded.
      const double rounded = weights * own[k];
      const double error = Pool::kError * sums[k] + 0x1p-23 * rounded;
      least[begin + k + 1] = sums[k] - rounded - error;
      most[begin + k + 1] = sums[k] - rounded + error;
    }
  }
  most[0] = most[1] + weights * about * thresholds_[0];

  const std::size_t cores = cores_for(levels_.size() - 1);
  for (std::size_t k = 0; k < cores; ++k) {
    const double scale = about * kCorePlaces[k];
    double value = 2.0 * bracket.base.s1 - scale * bracket.base.s2;
    for (std::size_t i = k; i < cores_.size(); i += cores) {
      value += cores_[i].rise * least[cores_[i].point];
    }
    if (scale <= bracket.high) bracket.gain = std::max(bracket.gain, scale * value);
  }

  std::array<Knot, kScales> knots;  // NOLINT(*-pro-type-member-init)
  for (std::size_t i = 0; i < kScales; ++i) {
    const double scale = about * kPlaces[i];
    knots[i] = {scale, 2.0 * bracket.base.s1 - scale * bracket.base.s2};
  }
  for (const Term& term : terms_) {
    knots[term.scale].most += term.left * most[term.point] + term.right * most[term.point + 1];
  }
  // Nothing exceeds the largest.
  const double width = static_cast<double>(largest) - about * thresholds_.back();
  const double slope = width > 0.0 ? most[count] / width : 0.0;
  for (const Tail& tail : tails_) {
    knots[tail.scale].most +=
        tail.rise * slope * std::max(0.0, static_cast<double>(largest) - about * tail.threshold);
  }
  return narrow_to(levels_, knots, bracket, memory);
}

}  // namespace lastbit
