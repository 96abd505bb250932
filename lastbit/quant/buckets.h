#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

namespace lastbit {

// Passes over weights for the narrow search of the best scale, by the bits of magnitudes, which
// have the same order.

inline std::uint32_t bits_of(float weight) noexcept {
  return std::bit_cast<std::uint32_t>(weight) & 0x7FFFFFFFU;
}

struct Extent {
  std::int32_t largest = 0;  ///< Bits of the largest magnitude.
  std::int32_t zeros = 0;    ///< How many of up to 2^31 weights.
};

Extent extent_of(std::span<const float> weights);

/// The weights of a bucket.
struct Bucket {
  double sum = 0.0;  ///< Of magnitudes.
  double count = 0.0;
};

/// Adds each weight to the bucket top - (its bits >> low_bits), or the last one if that is beyond.
/// @param top  that of the largest magnitude, or above
void count_in_buckets(std::span<const float> weights,
                      unsigned low_bits,
                      std::uint32_t top,
                      std::vector<Bucket>& table);

/// Magnitudes whose bits are in [first, first + width).
struct Range {
  std::uint32_t first;
  std::uint32_t width;

  bool has(std::uint32_t bits) const noexcept { return bits - first < width; }
};

/// Writes the magnitudes that are in one of the ranges, which do not meet, to `end` on, in the
/// order of the weights; what lies behind the last of them may be overwritten, once.
/// @return behind the last one
float* extract(std::span<const float> weights, std::span<const Range> ranges, float* end);

}  // namespace lastbit
