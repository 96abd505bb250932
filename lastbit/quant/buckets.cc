#include "lastbit/quant/buckets.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "lastbit/base/vectorize.h"

namespace lastbit {
namespace {

constexpr std::uint32_t kMagnitude = 0x7FFFFFFFU;

LASTBIT_VECTORIZE void extend(const float* __restrict weights, std::size_t count, Extent& extent) {
  std::int32_t largest = extent.largest;
  std::int32_t zeros = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits =
        static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(weights[i]) & kMagnitude);
    largest = bits > largest ? bits : largest;
    zeros += bits == 0 ? 1 : 0;
  }
  extent.largest = largest;
  extent.zeros += zeros;
}

constexpr std::size_t kCounted = 512;

// Numbers of the buckets of up to kCounted weights.
LASTBIT_VECTORIZE void find_buckets(const float* __restrict weights,
                                    std::size_t count,
                                    unsigned low_bits,
                                    std::int32_t top,
                                    std::int32_t last,
                                    std::int32_t* __restrict buckets) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(weights[i]) & kMagnitude;
    const std::int32_t below = top - static_cast<std::int32_t>(bits >> low_bits);
    buckets[i] = below < last ? below : last;
  }
}

// Sets or adds to the marks of weights that are in the range.
LASTBIT_VECTORIZE void mark(const float* __restrict weights,
                            std::size_t count,
                            std::uint32_t first,
                            std::uint32_t width,
                            std::uint8_t* __restrict marks) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(weights[i]) & kMagnitude;
    marks[i] = static_cast<std::uint8_t>(marks[i] | (bits - first < width ? 1U : 0U));
  }
}

}  // namespace

Extent extent_of(std::span<const float> weights) {
  Extent extent;
  extend(weights.data(), weights.size(), extent);
  return extent;
}

void count_in_buckets(std::span<const float> weights,
                      unsigned low_bits,
                      std::uint32_t top,
                      std::vector<Bucket>& table) {
  std::array<std::int32_t, kCounted> buckets;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  for (std::size_t begin = 0; begin < weights.size(); begin += kCounted) {
    const auto block = weights.subspan(begin, std::min(kCounted, weights.size() - begin));
    find_buckets(block.data(),
                 block.size(),
                 low_bits,
                 static_cast<std::int32_t>(top),
                 static_cast<std::int32_t>(table.size()) - 1,
                 buckets.data());
    for (std::size_t i = 0; i < block.size(); ++i) {
      Bucket& bucket = table[static_cast<std::size_t>(buckets[i])];
      bucket.sum += std::abs(block[i]);
      bucket.count += 1.0;
    }
  }
}

float* extract(std::span<const float> weights, std::span<const Range> ranges, float* end) {
  for (std::size_t begin = 0; begin < weights.size(); begin += kCounted) {
    const auto block = weights.subspan(begin, std::min(kCounted, weights.size() - begin));
    std::array<std::uint8_t, kCounted> marks{};
    for (const Range& range : ranges) {
      mark(block.data(), block.size(), range.first, range.width, marks.data());
    }
    // Eight at a time, for most are not marked.
    constexpr std::size_t kWord = sizeof(std::uint64_t);
    for (std::size_t word = 0; word < block.size(); word += kWord) {
      std::uint64_t marked = 0;
      std::memcpy(&marked, &marks[word], kWord);
      if (marked == 0) continue;
      for (std::size_t i = word; i < std::min(word + kWord, block.size()); ++i) {
        *end = std::abs(block[i]);
        end += marks[i];
      }
    }
  }
  return end;
}

}  // namespace lastbit
