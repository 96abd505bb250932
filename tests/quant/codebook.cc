#include "lastbit/quant/codebook.h"

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"

namespace lastbit {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::string refusal(std::vector<float> levels) {
  try {
    const Codebook codebook(std::move(levels));
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Codebook, KeepsItsLevels) {
  const Codebook codebook({-1.0F, 0.0F, 2.0F});
  EXPECT_EQ(codebook.size(), 3);
  EXPECT_EQ(codebook[0], -1.0F);
  EXPECT_EQ(codebook[2], 2.0F);
  EXPECT_EQ(codebook, Codebook({-1.0F, 0.0F, 2.0F}));
  EXPECT_NE(codebook, Codebook({-1.0F, 0.0F, 3.0F}));
}

TEST(Codebook, CountsTheInformationOfACode) {
  EXPECT_EQ(Codebook({-1.0F, 1.0F}).bits(), 1.0);
  EXPECT_EQ(Codebook({0.0F, 1.0F, 2.0F, 3.0F}).bits(), 2.0);
  EXPECT_NEAR(Codebook({-1.0F, 0.0F, 1.0F}).bits(), 1.5849625007211562, 1e-15);
}

TEST(Codebook, RefusesTooFewAndTooManyLevels) {
  EXPECT_EQ(refusal({}), "[codebook] it has 0 levels, expected 2 to 256");
  EXPECT_EQ(refusal({1.0F}), "[codebook] it has 1 levels, expected 2 to 256");
  std::vector<float> many(257);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<float>(i);
  EXPECT_EQ(refusal(many), "[codebook] it has 257 levels, expected 2 to 256");
  many.pop_back();
  EXPECT_EQ(refusal(many), "accepted");
}

TEST(Codebook, NamesTheLevelThatIsNotFinite) {
  EXPECT_EQ(refusal({0.0F, kInfinity}), "[codebook] levels[1] is inf, expected a finite value");
  EXPECT_EQ(refusal({std::nanf(""), 0.0F}), "[codebook] levels[0] is nan, expected a finite value");
}

TEST(Codebook, NamesTheLevelThatDoesNotAscend) {
  EXPECT_EQ(refusal({0.0F, 2.0F, 1.0F}),
            "[codebook] levels[2] is 1, expected more than the level before it, 2");
  EXPECT_EQ(refusal({0.5F, 0.5F}),
            "[codebook] levels[1] is 0.5, expected more than the level before it, 0.5");
}

TEST(Nearest, SettlesTiesToTheLargerMagnitude) {
  const Codebook codebook({-4.0F, -2.0F, -1.0F, 0.0F, 1.0F, 2.0F, 4.0F});
  EXPECT_EQ(codebook[codebook.nearest(0.5F)], 1.0F);
  EXPECT_EQ(codebook[codebook.nearest(-0.5F)], -1.0F);
  EXPECT_EQ(codebook[codebook.nearest(3.0F)], 4.0F);
  EXPECT_EQ(codebook[codebook.nearest(-3.0F)], -4.0F);
  EXPECT_EQ(codebook[codebook.nearest(std::nextafter(0.5F, 0.0F))], 0.0F);
  EXPECT_EQ(codebook[codebook.nearest(std::nextafter(-3.0F, 0.0F))], -2.0F);
}

TEST(Nearest, TakesZeroForPositive) {
  const Codebook codebook({-1.0F, 1.0F});
  EXPECT_EQ(codebook.nearest(0.0F), 1);
  EXPECT_EQ(codebook.nearest(-0.0F), 1);
  EXPECT_EQ(codebook.nearest(-std::numeric_limits<float>::denorm_min()), 0);
}

TEST(Nearest, SendsInfinitiesToTheOutermostLevels) {
  const Codebook codebook({-3.0F, 0.0F, 7.0F});
  EXPECT_EQ(codebook.nearest(kInfinity), 2);
  EXPECT_EQ(codebook.nearest(-kInfinity), 0);
}

TEST(Nearest, HoldsAtTheEndsOfTheFloatRange) {
  constexpr float kMax = std::numeric_limits<float>::max();
  const Codebook codebook({-kMax, kMax});
  EXPECT_EQ(codebook.nearest(1.0F), 1);
  EXPECT_EQ(codebook.nearest(-1.0F), 0);
  EXPECT_EQ(codebook.nearest(kMax), 1);
}

TEST(Nearest, AgreesWithASearchOfAllLevels) {
  Random random(3);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<float> levels(2 + random.below(20));
    // Steps of a quarter make ties common.
    float level = -5.0F;
    for (float& one : levels) one = level += 0.25F * static_cast<float>(1 + random.below(4));
    const Codebook codebook(levels);
    for (int i = 0; i < 200; ++i) {
      const float x = 0.125F * static_cast<float>(static_cast<int>(random.below(121)) - 60);
      std::size_t best = 0;
      for (std::size_t k = 1; k < levels.size(); ++k) {
        const float gap = std::abs(x - levels[k]);
        const float least = std::abs(x - levels[best]);
        if (gap < least || (gap == least && std::abs(levels[k]) >= std::abs(levels[best])))
          best = k;
      }
      ASSERT_EQ(codebook.nearest(x), best) << "trial " << trial << ", x " << x;
    }
  }
}

}  // namespace
}  // namespace lastbit
