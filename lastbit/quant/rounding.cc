#include "lastbit/quant/rounding.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>

#include "lastbit/base/threads.h"
#include "lastbit/base/vectorize.h"

namespace lastbit {
namespace {

constexpr std::size_t kBlock = 512;

// Up to here, comparing with every threshold in vector code beats a search.
constexpr std::size_t kFewThresholds = 32;

// The least float of at least `middle`, or above it.
float threshold(double middle, bool tie_goes_up) {
  const auto rounded = static_cast<float>(middle);
  if (rounded > middle || (rounded == middle && tie_goes_up)) return rounded;
  return std::nextafter(rounded, std::numeric_limits<float>::infinity());
}

// codes[i] = the number of thresholds of at most weights[i], for `count` weights, at most kBlock.
LASTBIT_VECTORIZE void count_thresholds(const float* __restrict weights,
                                        std::size_t count,
                                        const float* __restrict thresholds,
                                        std::size_t threshold_count,
                                        Code* __restrict codes) {
  std::array<std::int32_t, kBlock> steps;
  std::int32_t* __restrict step = steps.data();
  for (std::size_t i = 0; i < count; ++i) step[i] = 0;
  for (std::size_t k = 0; k < threshold_count; ++k) {
    const float least = thresholds[k];
    for (std::size_t i = 0; i < count; ++i) step[i] += weights[i] >= least ? 1 : 0;
  }
  for (std::size_t i = 0; i < count; ++i) codes[i] = static_cast<Code>(step[i]);
}

}  // namespace

Rounding::Rounding(const Codebook& levels, float scale)
    : zero_(scale == 0.0F), nearest_zero_(levels.nearest(0.0F)) {
  for (const float level : levels.levels()) {
    const float decoded = level * scale;
    values_.push_back(static_cast<double>(decoded));
  }
  for (std::size_t i = 1; i < values_.size(); ++i) {
    const bool up = std::abs(levels.levels()[i]) >= std::abs(levels.levels()[i - 1]);
    thresholds_.push_back(threshold(0.5 * (values_[i - 1] + values_[i]), up));
  }
}

// Four sums, for an addition waits for the one before it.
double Rounding::error(std::span<const float> weights, const Code* codes) const noexcept {
  std::array<double, 4> errors{};
  std::size_t i = 0;
  const auto gap = [&](std::size_t k) {
    return static_cast<double>(weights[k]) - values_[codes[k]];
  };
  for (; i + 4 <= weights.size(); i += 4) {
    for (std::size_t k = 0; k < 4; ++k) errors[k] += gap(i + k) * gap(i + k);
  }
  for (; i < weights.size(); ++i) errors[0] += gap(i) * gap(i);
  return (errors[0] + errors[1]) + (errors[2] + errors[3]);
}

double Rounding::round_part(std::span<const float> weights, Code* codes) const noexcept {
  double sum = 0.0;
  for (std::size_t begin = 0; begin < weights.size(); begin += kBlock) {
    const auto block = weights.subspan(begin, std::min(kBlock, weights.size() - begin));
    Code* code = codes + begin;
    if (zero_) {
      std::fill_n(code, block.size(), nearest_zero_);
    } else if (thresholds_.size() <= kFewThresholds) {
      count_thresholds(block.data(), block.size(), thresholds_.data(), thresholds_.size(), code);
    } else {
      std::transform(block.begin(), block.end(), code, [&](float w) {
        return static_cast<Code>(std::upper_bound(thresholds_.begin(), thresholds_.end(), w) -
                                 thresholds_.begin());
      });
    }
    sum += error(block, code);
  }
  return sum;
}

double Rounding::round(std::span<const float> weights, std::span<Code> codes) const {
  // Parts of one size, so that the sum does not depend on the number of threads.
  constexpr std::size_t kPart = std::size_t{1} << 20U;
  if (weights.size() <= kPart) return round_part(weights, codes.data());
  std::vector<double> errors((weights.size() - 1) / kPart + 1);
  parallel_for(
      errors.size(), std::min(2, usable_processors()), [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
          const std::size_t first = i * kPart;
          errors[i] = round_part(weights.subspan(first, std::min(kPart, weights.size() - first)),
                                 codes.data() + first);
        }
      });
  return std::accumulate(errors.begin(), errors.end(), 0.0);
}

}  // namespace lastbit
