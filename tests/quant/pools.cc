#include "lastbit/quant/pools.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"

namespace lastbit {
namespace {

std::vector<float> weights_of(std::size_t count) {
  Random random(12, count);
  std::vector<float> weights(count);
  for (float& w : weights) w = static_cast<float>(random.normal());
  return weights;
}

std::vector<float> sorted(std::vector<float> values) {
  std::sort(values.begin(), values.end());
  return values;
}

constexpr std::array<std::size_t, 12> kCounts = {
    0, 1, 15, 16, 17, 100, 511, 512, 960, 961, 4608, 5000};

// Whole rows, and what is left over, are picked in different ways.
TEST(Pool, HoldsTheMagnitudesWithinItsRange) {
  for (const std::size_t count : kCounts) {
    for (const float low : {0.0F, 0.3F, 2.0F}) {
      const std::vector<float> weights = weights_of(count);
      const float high = low + 0.7F;
      std::vector<float> expected;
      for (const float w : weights) {
        if (std::abs(w) >= low && std::abs(w) < high && w != 0.0F) expected.push_back(std::abs(w));
      }
      const std::uint32_t first = std::max(1U, bits_of(low));
      std::vector<float> memory(Pool::room(expected.size()));
      const Pool pool(weights, {first, bits_of(high) - first}, memory.data());
      const std::vector<float> found(pool.magnitudes().begin(), pool.magnitudes().end());
      ASSERT_EQ(sorted(found), sorted(expected)) << count << " weights from " << low;
      // And in its own place.
      const std::uint32_t half = first + (bits_of(high) - first) / 2;
      const Pool again(pool.magnitudes(), {first, half - first}, memory.data());
      const auto expected_size = std::count_if(
          expected.begin(), expected.end(), [&](float w) { return bits_of(w) < half; });
      ASSERT_EQ(again.size(), static_cast<std::size_t>(expected_size)) << count << " weights";
    }
  }
}

TEST(Pool, HoldsAllMagnitudesAndTellsTheLargest) {
  for (const std::size_t count : kCounts) {
    const std::vector<float> weights = weights_of(count);
    std::vector<float> memory(Pool::room(count), -1.0F);
    Magnitudes known;
    const Pool pool(weights, memory.data(), known);
    float expected = 0.0F;
    double sum = 0.0;
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_EQ(pool.magnitudes()[i], std::abs(weights[i]));
      expected = std::max(expected, std::abs(weights[i]));
      sum += std::abs(weights[i]);
    }
    EXPECT_EQ(known.largest, expected);
    // At most 5000 / 16 roundings in each lane, and 32 more.
    EXPECT_NEAR(known.sum, sum, 350 * 0x1p-24 * sum);
    for (std::size_t i = count; i < pool.padded(); ++i) EXPECT_EQ(memory[i], 0.0F);
  }
}

// In memory of its own, and in place.
TEST(Pool, DividesAnotherPoolIntoWhatIsWithinARangeAndAbove) {
  for (const std::size_t count : kCounts) {
    const std::vector<float> weights = weights_of(count);
    std::vector<float> memory(Pool::room(count));
    std::vector<float> other(Pool::room(count));
    Magnitudes known;
    const Pool all(weights, memory.data(), known);
    for (const float low : {1e-30F, 0.3F, 2.0F}) {
      const float high = low + 0.7F;
      std::vector<float> expected;
      double sum = 0.0;
      double beyond = 0.0;
      for (const float w : all.magnitudes()) {
        if (w >= low && w < high) expected.push_back(w);
        if (w < high) continue;
        sum += w;
        beyond += 1.0;
      }
      const Range range{bits_of(low), bits_of(high) - bits_of(low)};
      Bucket above;
      const Pool within(all, range, other.data(), above);
      ASSERT_EQ(std::vector<float>(within.magnitudes().begin(), within.magnitudes().end()),
                expected)
          << count << " weights from " << low;
      EXPECT_EQ(above.count, beyond);
      EXPECT_NEAR(above.sum, sum, 1e-12 * sum);
      Bucket none;
      const Pool again(within, range, other.data(), none);
      ASSERT_EQ(std::vector<float>(again.magnitudes().begin(), again.magnitudes().end()), expected);
      EXPECT_EQ(none.count, 0.0);
      EXPECT_EQ(none.sum, 0.0);
    }
  }
}

TEST(Pool, SumsWhatIsAboveAThreshold) {
  for (const std::size_t count : kCounts) {
    const std::vector<float> weights = weights_of(count);
    std::vector<float> memory(Pool::room(count));
    Magnitudes known;
    const Pool pool(weights, memory.data(), known);
    for (const float threshold : {0.0F, 0.5F, known.largest}) {
      Bucket expected;
      for (const float w : weights) {
        if (std::abs(w) <= threshold) continue;
        expected.sum += std::abs(w);
        expected.count += 1.0;
      }
      const Bucket found = pool.above(threshold);
      EXPECT_EQ(found.count, expected.count);
      EXPECT_NEAR(found.sum, expected.sum, 1e-12 * expected.sum) << count << " weights";
    }
  }
}

TEST(Pool, SumsTheLargerOfAnOffsetAndAMagnitude) {
  for (const std::size_t count : kCounts) {
    const std::vector<float> weights = weights_of(count);
    std::vector<float> memory(Pool::room(count));
    for (const float origin : {0x1p-149F, 0.4F}) {
      const std::uint32_t first = bits_of(origin);
      const Pool pool(weights, {first, bits_of(8.0F) - first}, memory.data());
      Pool::Thresholds offsets{};
      for (std::size_t k = 0; k < offsets.size(); ++k) {
        offsets[k] = 0.25F * static_cast<float>(k);
      }
      const auto sums = pool.sums_of_larger(offsets, origin);
      for (std::size_t k = 0; k < offsets.size(); ++k) {
        double expected = 0.0;
        for (std::size_t i = 0; i < pool.padded(); ++i) {
          const double above = static_cast<double>(memory[i]) - origin;
          expected += std::max<double>(above, offsets[k]);
        }
        EXPECT_NEAR(sums[k], expected, Pool::kError * expected) << count << " weights, " << k;
      }
    }
  }
}

}  // namespace
}  // namespace lastbit
