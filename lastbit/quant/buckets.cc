#include "lastbit/quant/buckets.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

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

constexpr std::size_t kBlock = 8;

// How many of a block are in the range.
LASTBIT_VECTORIZE void count_in_range(const float* __restrict weights,
                                      std::size_t blocks,
                                      std::uint32_t first,
                                      std::uint32_t width,
                                      std::uint32_t* __restrict counts) {
  for (std::size_t b = 0; b < blocks; ++b) {
    std::uint32_t count = 0;
    for (std::size_t i = 0; i < kBlock; ++i) {
      const std::uint32_t bits = std::bit_cast<std::uint32_t>(weights[b * kBlock + i]) & kMagnitude;
      count += bits - first < width ? 1U : 0U;
    }
    counts[b] += count;
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
  // Without a branch, which would often be mispredicted.
  const auto take = [&](float w) {
    const std::uint32_t bits = bits_of(w);
    bool wanted = false;
    for (const Range& range : ranges) wanted |= range.has(bits);
    *end = std::abs(w);
    end += wanted ? 1 : 0;
  };
  constexpr std::size_t kBlocks = 64;
  std::size_t begin = 0;
  for (; begin + kBlock <= weights.size();) {
    const std::size_t blocks = std::min(kBlocks, (weights.size() - begin) / kBlock);
    std::array<std::uint32_t, kBlocks> counts{};
    for (const Range& range : ranges) {
      count_in_range(&weights[begin], blocks, range.first, range.width, counts.data());
    }
    for (std::size_t b = 0; b < blocks; ++b, begin += kBlock) {
      if (counts[b] == 0) continue;
      for (const float w : weights.subspan(begin, kBlock)) take(w);
    }
  }
  for (const float w : weights.subspan(begin)) take(w);
  return end;
}

}  // namespace lastbit
