#include "lastbit/quant/sorted_sums.h"

#include <algorithm>
#include <array>

namespace lastbit {

SortedSums::SortedSums(std::span<const float> values, std::span<const float> importance)
    : values_(values), importance_(importance) {
  // Any centre amid the values will do; the mean of some of them costs no pass over all.
  constexpr std::size_t kSamples = 1024;
  const std::size_t stride = values.size() / kSamples + 1;
  std::size_t samples = 0;
  for (std::size_t i = stride / 2; i < values.size(); i += stride, ++samples) centre_ += values[i];
  if (samples > 0) centre_ /= static_cast<double>(samples);
  blocks_.reserve(values.size() / kBlock + 1);
  blocks_.emplace_back();
  for (std::size_t end = kBlock; end <= values.size(); end += kBlock) {
    Sums next = blocks_.back();
    next += sum(end - kBlock, end);
    blocks_.push_back(next);
  }
}

Sums SortedSums::sum(std::size_t begin, std::size_t end) const noexcept {
  if (!importance_.empty()) {
    Sums sums;
    for (std::size_t i = begin; i < end; ++i) {
      const double x = (*this)[i];
      const double h = importance_[i];
      sums += {h, h * x, h * x * x};
    }
    return sums;
  }
  // Four sums at a time, for an addition waits for the one before it.
  std::array<double, 4> value{};
  std::array<double, 4> square{};
  std::size_t i = begin;
  for (; i + 4 <= end; i += 4) {
    for (std::size_t k = 0; k < 4; ++k) {
      const double x = (*this)[i + k];
      value[k] += x;
      square[k] += x * x;
    }
  }
  for (; i < end; ++i) {
    value[0] += (*this)[i];
    square[0] += (*this)[i] * (*this)[i];
  }
  return {static_cast<double>(end - begin),
          (value[0] + value[1]) + (value[2] + value[3]),
          (square[0] + square[1]) + (square[2] + square[3])};
}

Sums SortedSums::first(std::size_t count) const noexcept {
  Sums result = blocks_[count / kBlock];
  result += sum(count / kBlock * kBlock, count);
  return result;
}

std::size_t SortedSums::below(double value) const noexcept {
  const auto place = std::partition_point(
      values_.begin(), values_.end(), [&](float x) { return x - centre_ < value; });
  return static_cast<std::size_t>(place - values_.begin());
}

}  // namespace lastbit
