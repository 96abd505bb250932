#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "lastbit/quant/buckets.h"

namespace lastbit {

// Passes over the few weights that may take one step at the scales left over.

struct Magnitudes {
  float largest = 0.0F;
  double sum = 0.0;  ///< About.
};

/// Magnitudes in any order, and zeros behind them up to a whole row.
class Pool {
 public:
  static constexpr std::size_t kRow = 16;

  /// What collect() may write for `count` of them.
  static constexpr std::size_t room(std::size_t count) noexcept { return count + 2 * kRow; }

  Pool() = default;

  /// The magnitudes of weights within the range, which does not begin at 0.
  /// @param memory  room() for as many
  Pool(std::span<const float> weights, const Range& range, float* memory);

  /// Those of another pool.
  /// @param memory  room() for as many; may be where the other pool has them
  /// @param above  receives those of the other pool that are beyond the range
  Pool(const Pool& other, const Range& range, float* memory, Bucket& above);

  /// All magnitudes, in the order of the weights.
  /// @param known  receives what is known of them
  Pool(std::span<const float> weights, float* memory, Magnitudes& known);

  std::size_t size() const noexcept { return size_; }
  std::size_t padded() const noexcept { return (size_ + kRow - 1) / kRow * kRow; }
  std::span<float> magnitudes() const noexcept { return {first_, size_}; }

  /// Those above `threshold`, which is not negative.
  Bucket above(float threshold) const noexcept;

  static constexpr std::size_t kThresholds = 8;
  using Thresholds = std::array<float, kThresholds>;

  /// For each offset, not negative, the sum over whole rows of the larger of it and of how far a
  /// magnitude lies above `origin`. Each sum is off by at most kError of itself.
  /// @param next  from here, memory is fetched meanwhile, `stride` floats on for each row; null:
  ///     none
  std::array<double, kThresholds> sums_of_larger(const Thresholds& offsets,
                                                 float origin,
                                                 const float* next = nullptr,
                                                 std::size_t stride = 0) const noexcept;

  static constexpr double kError = 0x1p-17;

 private:
  float* first_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace lastbit
