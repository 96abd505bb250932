#include "lastbit/base/random.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace lastbit {
namespace {

TEST(Random, FollowsThePublishedRecurrence) {
  // xoshiro256++ from the state 1, 2, 3, 4: by hand, rotl(1 + 4, 23) + 1, then onward from the
  // state 7, 0, 262146, 211106232532992: rotl(211106232532999, 23) + 7.
  Random random(Random::State{1, 2, 3, 4});
  EXPECT_EQ(random.next(), 41943041U);
  EXPECT_EQ(random.state(), (Random::State{7, 0, 262146, 211106232532992}));
  EXPECT_EQ(random.next(), 58720359U);
}

TEST(Random, RepeatsItselfForOneSeedAndStream) {
  Random one(5, 3);
  Random other(5, 3);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(one.next(), other.next());
}

TEST(Random, DiffersBetweenSeedsAndStreams) {
  std::vector<std::uint64_t> firsts;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    for (std::uint64_t stream = 0; stream < 50; ++stream)
      firsts.push_back(Random(seed, stream).next());
  }
  std::sort(firsts.begin(), firsts.end());
  EXPECT_EQ(std::adjacent_find(firsts.begin(), firsts.end()), firsts.end());
}

TEST(Random, GoesOnFromItsState) {
  Random one(9);
  for (int i = 0; i < 10; ++i) one.next();
  Random other(one.state());
  EXPECT_EQ(one.normal(), other.normal());
  EXPECT_EQ(one.next(), other.next());
}

// The tolerances below are five deviations of the estimate.
constexpr int kCount = 200'000;

TEST(Random, IsUniformInTheUnitInterval) {
  Random random(1);
  double sum = 0.0;
  double squares = 0.0;
  for (int i = 0; i < kCount; ++i) {
    const double x = random.uniform();
    ASSERT_GE(x, 0.0);
    ASSERT_LT(x, 1.0);
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kCount, 0.5, 5 * std::sqrt(1.0 / 12 / kCount));
  EXPECT_NEAR(squares / kCount, 1.0 / 3, 5 * std::sqrt((1.0 / 5 - 1.0 / 9) / kCount));
}

TEST(Random, StaysWithinBounds) {
  Random random(2);
  for (int i = 0; i < 1000; ++i) {
    const double x = random.uniform(-3.0, 2.0);
    EXPECT_GE(x, -3.0);
    EXPECT_LT(x, 2.0);
  }
}

TEST(Random, HasTheMomentsOfTheNormalDistribution) {
  Random random(3);
  std::array<double, 5> moments{};
  for (int i = 0; i < kCount; ++i) {
    double power = 1.0;
    const double x = random.normal();
    for (double& moment : moments) {
      moment += power / kCount;
      power *= x;
    }
  }
  // The variance of x^k is E[x^2k] - E[x^k]^2: 1, 2, 15, 105 - 9.
  EXPECT_NEAR(moments[1], 0.0, 5 * std::sqrt(1.0 / kCount));
  EXPECT_NEAR(moments[2], 1.0, 5 * std::sqrt(2.0 / kCount));
  EXPECT_NEAR(moments[3], 0.0, 5 * std::sqrt(15.0 / kCount));
  EXPECT_NEAR(moments[4], 3.0, 5 * std::sqrt(96.0 / kCount));
}

TEST(Random, DrawsEachNumberBelowTheBoundEquallyOften) {
  Random random(4);
  for (const std::uint64_t bound : {1U, 2U, 3U, 7U, 10U}) {
    std::vector<int> counts(bound);
    for (int i = 0; i < kCount; ++i) ++counts.at(random.below(bound));
    const double share = 1.0 / static_cast<double>(bound);
    for (const int count : counts) {
      EXPECT_NEAR(count, kCount * share, 5 * std::sqrt(kCount * share * (1 - share)));
    }
  }
}

TEST(Random, IsWithoutBiasForHugeBounds) {
  // Without rejection, the lower third of 3 * 2^62 would come twice as often as the rest.
  Random random(5);
  const std::uint64_t third = std::uint64_t{1} << 62;
  int low = 0;
  for (int i = 0; i < kCount; ++i) low += random.below(3 * third) < third ? 1 : 0;
  EXPECT_NEAR(low, kCount / 3.0, 5 * std::sqrt(kCount * 2.0 / 9));
}

TEST(Random, ShufflesIntoEveryOrderEquallyOften) {
  Random random(6);
  std::array<int, 64> counts{};
  for (int i = 0; i < kCount; ++i) {
    std::array<unsigned, 3> items{0, 1, 2};
    random.shuffle(std::span<unsigned>(items));
    ++counts.at(items[0] * 16 + items[1] * 4 + items[2]);
  }
  int orders = 0;
  for (const int count : counts) {
    if (count == 0) continue;
    ++orders;
    EXPECT_NEAR(count, kCount / 6.0, 5 * std::sqrt(kCount * 5.0 / 36));
  }
  EXPECT_EQ(orders, 6);
}

}  // namespace
}  // namespace lastbit
