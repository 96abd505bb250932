#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "lastbit/base/threads.h"
#include "lastbit/quant/scale_fit.h"
#include "lastbit/quant/sort.h"

namespace lastbit {
namespace {

// Weights fall into buckets by their upper bits: sign aside, the exponent and 9 bits of
// the mantissa. With the number and the sum of each bucket's weights, S1 and S2 of the nearest
// assignment at a scale are known but for the buckets that a threshold lies in. So for scales in
// [a, b] the gain 2 s S1 - s^2 S2 is at most that of S1 at a with those buckets whole, and S2 at b
// without them; and thresholds at the edges of buckets give fits that are attained. Scales that
// cannot gain as much as the best of these are ruled out, and only weights that may take a step
// between the scales left over are sorted.

constexpr unsigned kLowBits = 14;
constexpr std::size_t kBuckets = std::size_t{1} << 17U;

struct Bucket {
  double sum = 0.0;
  double count = 0.0;
};

std::size_t bucket_of(float weight) noexcept {
  return (std::bit_cast<std::uint32_t>(weight) & 0x7FFFFFFFU) >> kLowBits;
}

std::size_t bucket_of(double threshold) noexcept {
  constexpr double kMost = std::numeric_limits<float>::max();
  return bucket_of(static_cast<float>(std::min(threshold, kMost)));
}

void count(std::span<const float> weights, std::vector<Bucket>& table) {
  for (const float w : weights) {
    Bucket& bucket = table[bucket_of(w)];
    bucket.sum += std::abs(w);
    bucket.count += 1.0;
  }
}

float least_of(std::size_t bucket) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bucket << kLowBits));
}

class Narrowing {
 public:
  Narrowing(std::span<const float> weights, std::span<const float> levels)
      : weights_(weights), levels_(levels), above_(kBuckets + 1) {
    // Two halves, each with its own table: sums do not depend on the number of threads.
    std::vector<Bucket> second(kBuckets + 1);
    const std::size_t half = weights.size() / 2;
    parallel_for(2, std::min(2, usable_processors()), [&](std::size_t begin, std::size_t end) {
      if (begin == 0) count(weights.first(half), above_);
      if (end == 2) count(weights.subspan(half), second);
    });
    for (std::size_t i = kBuckets; i-- > 0;) {
      counts_[i] = static_cast<std::size_t>(above_[i].count + second[i].count);
      above_[i].sum += second[i].sum + above_[i + 1].sum;
      above_[i].count += second[i].count + above_[i + 1].count;
    }
    while (largest_ > 0 && counts_[largest_] == 0) --largest_;
  }

  // False where the lowest bucket, of denormals below 2^-135, is not far below the largest weight,
  // or where levels may come near to overflow.
  bool possible() const noexcept {
    constexpr std::size_t kFarAbove = std::size_t{64} << 9U;  // 2^-63
    return largest_ >= kFarAbove &&
           highest_scale() * levels_.back() < std::numeric_limits<float>::max();
  }

  NarrowSearch run(std::unique_ptr<float[]>& first, std::unique_ptr<float[]>& second) {
    find_range();
    NarrowSearch narrow{low_, high_, fit(high_, 1), {}};
    std::vector<char> wanted(kBuckets, 0);
    for (std::size_t step = 1; step < levels_.size(); ++step) {
      const auto begin = wanted.begin() + static_cast<std::ptrdiff_t>(bucket(step, low_));
      std::fill(begin, wanted.begin() + static_cast<std::ptrdiff_t>(bucket(step, high_)) + 1, 1);
    }
    wanted[0] = 0;  // too small to matter
    std::size_t count = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) count += wanted[i] != 0 ? counts_[i] : 0;
    first = std::make_unique_for_overwrite<float[]>(count + 1);
    second = std::make_unique_for_overwrite<float[]>(count + 1);
    // Without a branch, which would often be mispredicted.
    float* end = first.get();
    for (const float w : weights_) {
      *end = std::abs(w);
      end += wanted[bucket_of(w)];
    }
    const std::span<float> sorted = sort_floats({first.get(), count}, {second.get(), count});
    for (std::size_t step = 1; step < levels_.size(); ++step) {
      const auto begin =
          std::lower_bound(sorted.begin(), sorted.end(), least_of(bucket(step, low_)));
      const auto stop = std::lower_bound(begin, sorted.end(), least_of(bucket(step, high_) + 1));
      narrow.magnitudes.emplace_back(begin, stop);
    }
    return narrow;
  }

 private:
  // The bucket that the threshold of a step lies in.
  std::size_t bucket(std::size_t step, double scale) const noexcept {
    const double sum = static_cast<double>(levels_[step - 1]) + levels_[step];
    return bucket_of(0.5 * scale * sum);
  }

  // The fit of the nearest assignment at `scale` with the buckets that thresholds lie in taken
  // (`from` is 0), or not (1).
  Fit fit(double scale, std::size_t from) const noexcept {
    const double lowest = levels_[0];
    Fit fit{lowest * above_[0].sum, lowest * lowest * above_[0].count};
    for (std::size_t step = 1; step < levels_.size(); ++step) {
      const double low = levels_[step - 1];
      const double high = levels_[step];
      const Bucket& above = above_[std::min(bucket(step, scale) + from, kBuckets)];
      fit.s1 += (high - low) * above.sum;
      fit.s2 += (high * high - low * low) * above.count;
    }
    return fit;
  }

  // Above which no step is taken.
  double highest_scale() const noexcept {
    const double sum = static_cast<double>(levels_[0]) + levels_[1];
    return 4.0 * static_cast<double>(least_of(largest_)) / sum;
  }

  void find_range() {
    // Downwards by about half a bucket's width.
    constexpr double kRatio = 1.0 - 1.0 / 1024;
    const double highest = highest_scale();
    const double most = levels_.back();
    const double all = 2.0 * most * above_[0].sum;
    double best = 0.0;
    for (double scale = highest; scale * all > best; scale *= kRatio) {
      const Fit attained = fit(scale, 1);
      if (attained.s1 > 0.0) best = std::max(best, attained.s1 * attained.s1 / attained.s2);
    }
    const double enough = best * (1.0 - 1e-9);
    low_ = highest;
    high_ = 0.0;
    for (double b = highest; b * all > enough; b *= kRatio) {
      const double a = b * kRatio;
      const double s1 = fit(a, 0).s1;
      const double s2 = fit(b, 1).s2;
      const double s = s2 > 0.0 ? std::clamp(s1 / s2, a, b) : b;
      if (s * (2.0 * s1 - s * s2) < enough) continue;
      low_ = std::min(low_, a);
      high_ = std::max(high_, b);
    }
  }

  std::span<const float> weights_;
  std::span<const float> levels_;
  std::vector<Bucket> above_;  // of all weights in this bucket and above
  std::vector<std::size_t> counts_ = std::vector<std::size_t>(kBuckets);
  std::size_t largest_ = kBuckets - 1;  // bucket with weights
  double low_ = 0.0;
  double high_ = 0.0;
};

}  // namespace

double best_scale_of_many(std::span<const float> weights, std::span<const float> levels) {
  Narrowing narrowing(weights, levels);
  std::unique_ptr<float[]> first;
  std::unique_ptr<float[]> second;
  if (narrowing.possible()) {
    const NarrowSearch narrow = narrowing.run(first, second);
    return best_scale(levels, narrow);
  }
  first = std::make_unique_for_overwrite<float[]>(weights.size());
  second = std::make_unique_for_overwrite<float[]>(weights.size());
  std::transform(weights.begin(), weights.end(), first.get(), [](float w) { return std::abs(w); });
  const Side side{
      sort_floats({first.get(), weights.size()}, {second.get(), weights.size()}), {}, levels};
  return best_scale(std::span(&side, 1));
}

}  // namespace lastbit
