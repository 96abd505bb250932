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

constexpr std::size_t kLanes = 16;

// codes[i] = the number of thresholds of at most weights[i], and rounded[i] the value of that code,
// for `count` weights, at most kBlock.
LASTBIT_VECTORIZE void count_thresholds(const float* __restrict weights,
                                        std::size_t count,
                                        const float* __restrict thresholds,
                                        const float* __restrict values,
                                        std::size_t threshold_count,
                                        float* __restrict rounded,
                                        Code* __restrict codes) {
  std::array<std::int32_t, kBlock> steps;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  std::int32_t* __restrict step = steps.data();
  for (std::size_t i = 0; i < count; ++i) {
    step[i] = 0;
    rounded[i] = values[0];
  }
  for (std::size_t k = 0; k < threshold_count; ++k) {
    const float least = thresholds[k];
    const float value = values[k + 1];
    for (std::size_t i = 0; i < count; ++i) {
      step[i] += weights[i] >= least ? 1 : 0;
      rounded[i] = weights[i] >= least ? value : rounded[i];
    }
  }
  for (std::size_t i = 0; i < count; ++i) codes[i] = static_cast<Code>(step[i]);
}

// Adds the squares of the differences to fixed lanes, so that sums are the same for every width of
// vector.
LASTBIT_VECTORIZE void add_squares(const float* __restrict weights,
                                   const float* __restrict rounded,
                                   std::size_t rows,
                                   double* __restrict lanes) {
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const std::size_t i = row * kLanes + lane;
      const double gap = static_cast<double>(weights[i]) - static_cast<double>(rounded[i]);
      lanes[lane] += gap * gap;
    }
  }
}

}  // namespace

float rounding_threshold(float low, float high, float scale) noexcept {
  const double middle =
      0.5 * (static_cast<double>(low * scale) + static_cast<double>(high * scale));
  const auto rounded = static_cast<float>(middle);
  const bool tie_goes_up = std::abs(high) >= std::abs(low);
  if (rounded > middle || (rounded == middle && tie_goes_up)) return rounded;
  return std::nextafter(rounded, std::numeric_limits<float>::infinity());
}

Rounding::Rounding(const Codebook& levels, float scale)
    : zero_(scale == 0.0F), nearest_zero_(levels.nearest(0.0F)) {
  const std::span<const float> all = levels.levels();
  for (const float level : all) values_.push_back(level * scale);
  for (std::size_t i = 1; i < all.size(); ++i) {
    thresholds_.push_back(rounding_threshold(all[i - 1], all[i], scale));
  }
}

double Rounding::round_part(std::span<const float> weights, Code* codes) const noexcept {
  std::array<double, kLanes> lanes{};
  std::array<float, kBlock> rounded;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  double rest = 0.0;
  for (std::size_t begin = 0; begin < weights.size(); begin += kBlock) {
    const auto block = weights.subspan(begin, std::min(kBlock, weights.size() - begin));
    Code* code = codes + begin;
    if (zero_) {
      std::fill_n(code, block.size(), nearest_zero_);
      std::fill_n(rounded.begin(), block.size(), 0.0F);
    } else if (thresholds_.size() <= kFewThresholds) {
      count_thresholds(block.data(),
                       block.size(),
                       thresholds_.data(),
                       values_.data(),
                       thresholds_.size(),
                       rounded.data(),
                       code);
    } else {
      for (std::size_t i = 0; i < block.size(); ++i) {
        const auto above = std::upper_bound(thresholds_.begin(), thresholds_.end(), block[i]);
        code[i] = static_cast<Code>(above - thresholds_.begin());
        rounded[i] = values_[code[i]];
      }
    }
    const std::size_t rows = block.size() / kLanes;
    add_squares(block.data(), rounded.data(), rows, lanes.data());
    for (std::size_t i = rows * kLanes; i < block.size(); ++i) {
      const double gap = static_cast<double>(block[i]) - static_cast<double>(rounded[i]);
      rest += gap * gap;
    }
  }
  return std::accumulate(lanes.begin(), lanes.end(), rest);
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
