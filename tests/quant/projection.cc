// Projections against known values, exhaustive search and the normal distribution.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/quant/projector.h"

namespace lastbit {
namespace {

constexpr float kMax = std::numeric_limits<float>::max();
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();

Quantized project(const std::string& set, const std::vector<float>& weights) {
  const ChannelLayout layout{1, 1, static_cast<std::int64_t>(weights.size())};
  return parse_projector(set)->project(weights, layout);
}

std::vector<float> levels_of(const Quantized& quantized) {
  std::vector<float> levels;
  for (const Code code : quantized.codes) levels.push_back(quantized.levels[code]);
  return levels;
}

std::vector<float> decoded(const Quantized& quantized) {
  std::vector<float> weights(quantized.codes.size());
  decode(quantized, weights);
  return weights;
}

struct Golden {
  std::string set;
  double scale;
  double error;
  std::vector<float> levels;
};

// Computed in double and confirmed by exhaustive search.
TEST(Projection, GivesTheKnownOptimaOfTwelveWeights) {
  const std::vector<float> weights = {
      0.9F, -0.05F, 0.31F, -1.7F, 0.42F, 0.0F, -0.66F, 2.4F, -0.18F, 0.77F, -0.93F, 0.12F};
  const std::vector<Golden> all = {
      {"binary", 0.7033333333, 5.7390666667, {1, -1, 1, -1, 1, 1, -1, 1, -1, 1, -1, 1}},
      {"ternary", 1.2266666667, 2.6469333333, {1, 0, 0, -1, 0, 0, -1, 1, 0, 1, -1, 0}},
      {"shift:1", 0.9550000000, 0.7309000000, {1, 0, 0, -2, 0, 0, -1, 2, 0, 1, -1, 0}},
      {"shift:2", 0.4891489362, 0.4296659574, {2, 0, 1, -4, 1, 0, -1, 4, 0, 2, -2, 0}},
  };
  for (const Golden& golden : all) {
    SCOPED_TRACE(golden.set);
    const Quantized result = project(golden.set, weights);
    EXPECT_EQ(levels_of(result), golden.levels);
    // The weights and the scale are rounded to float: 2^-24 of at most 2.4, in 12 weights.
    EXPECT_NEAR(result.scales.at(0), golden.scale, 2e-7);
    EXPECT_NEAR(result.squared_error, golden.error, 12 * 2 * 2.4 * 2e-7);
  }
}

TEST(Projection, RoundsToTheLevelsThemselvesWithoutAScale) {
  const Quantized result = project("shift:1/none", {0.4F, 0.5F, -0.5F, 1.5F, -1.49F, 9.0F, -0.0F});
  EXPECT_EQ(levels_of(result), (std::vector<float>{0, 1, -1, 2, -1, 2, 0}));
  EXPECT_EQ(result.scales, std::vector<float>{1.0F});
  EXPECT_NEAR(result.squared_error, 0.16 + 3 * 0.25 + 0.2401 + 49, 1e-6);
  EXPECT_EQ(levels_of(project("binary/none", {0.0F, -0.0F, -3.0F})),
            (std::vector<float>{1, 1, -1}));
}

// The least error over all code vectors, each with its own best scale.
double least_error(const std::vector<float>& weights, const Codebook& levels) {
  double energy = 0.0;
  for (const double w : weights) energy += w * w;
  double most = 0.0;
  std::vector<int> codes(weights.size(), 0);
  while (true) {
    double correlation = 0.0;
    double squares = 0.0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double level = levels[static_cast<Code>(codes[i])];
      correlation += level * static_cast<double>(weights[i]);
      squares += level * level;
    }
    // A scale is not negative.
    if (correlation > 0.0) most = std::max(most, correlation * correlation / squares);
    std::size_t digit = 0;
    while (digit < codes.size() && ++codes[digit] == levels.size()) codes[digit++] = 0;
    if (digit == codes.size()) return energy - most;
  }
}

std::vector<float> weights_of_kind(std::size_t count, unsigned seed) {
  Random random(seed, count);
  std::vector<float> weights(count);
  for (float& w : weights) {
    const double x = random.normal();
    if (seed % 3 == 0) w = static_cast<float>(x);
    if (seed % 3 == 1) w = 0.5F * static_cast<float>(static_cast<int>(random.below(9)) - 4);
    if (seed % 3 == 2) w = static_cast<float>(x * x * x * x * x);
  }
  return weights;
}

void expect_least_error(const std::string& set, std::size_t most_weights, unsigned seeds) {
  for (std::size_t count = 1; count <= most_weights; ++count) {
    for (unsigned seed = 0; seed < seeds; ++seed) {
      SCOPED_TRACE(testing::Message() << set << ", count " << count << ", seed " << seed);
      const auto weights = weights_of_kind(count, seed);
      double energy = 0.0;
      for (const double w : weights) energy += w * w;
      const Quantized result = project(set, weights);
      // Rounding the scale to float costs at most 2^-48 of the energy; double rounding is below it.
      ASSERT_NEAR(result.squared_error, least_error(weights, result.levels), 0x1p-47 * energy);
    }
  }
}

TEST(Binary, ReachesTheLeastErrorOfExhaustiveSearch) { expect_least_error("binary", 10, 60); }
TEST(Ternary, ReachesTheLeastErrorOfExhaustiveSearch) { expect_least_error("ternary", 7, 60); }
TEST(ShiftOne, ReachesTheLeastErrorOfExhaustiveSearch) { expect_least_error("shift:1", 5, 60); }
TEST(ShiftTwo, ReachesTheLeastErrorOfExhaustiveSearch) { expect_least_error("shift:2", 5, 30); }
TEST(ShiftFour, ReachesTheLeastErrorOfExhaustiveSearch) { expect_least_error("shift:4", 3, 60); }

TEST(Binary, HasTheMeanMagnitudeForItsScale) {
  EXPECT_EQ(project("binary", {1.0F, -2.0F, 0.0F, 3.0F}).scales.at(0), 1.5F);
}

TEST(Ternary, KeepsItsThresholdBetweenTheSupportAndTheRest) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    const auto weights = weights_of_kind(50, seed);
    const Quantized result = project("ternary", weights);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const bool large = std::abs(weights[i]) >= 0.5F * result.scales[0];
      EXPECT_EQ(result.codes[i] != 1, large && result.scales[0] > 0.0F) << "seed " << seed;
    }
  }
}

// What is known of the best fit to a standard normal variable.
struct Normal {
  std::string set;
  double scale;
  double error;
  std::vector<double> shares;  // of the level magnitudes
};

class NormalWeights : public testing::TestWithParam<Normal> {};

// Five deviations of each estimate. The error is a mean of squares. For the scale, the estimate
// solves D(s) = 0 with D(s) = mean of 2 m (m s - |w|), so its variance is that of D over n and the
// square of the slope of E[D], which is 2 E[m^2] less 4 phi(t) c^2 (m' - m) s for each threshold
// t = c s, c = (m + m') / 2, where weights change their level.
TEST_P(NormalWeights, GiveTheKnownScaleErrorAndShares) {
  constexpr std::size_t kCount = 400'000;
  const Normal& known = GetParam();
  Random random(11);
  std::vector<float> weights(kCount);
  for (float& w : weights) w = static_cast<float>(random.normal());
  const Quantized result = project(known.set, weights);

  const double n = kCount;
  const double s = known.scale;
  double fourth = 0.0;
  double noise = 0.0;
  double squares = 0.0;
  std::vector<double> magnitudes;
  for (const float level : result.levels.levels()) {
    if (level >= 0.0F) magnitudes.push_back(level);
  }
  std::vector<double> shares(magnitudes.size(), 0.0);
  for (std::size_t i = 0; i < kCount; ++i) {
    const double m = std::abs(result.levels[result.codes[i]]);
    const double gap = m * s - std::abs(static_cast<double>(weights[i]));
    fourth += gap * gap * gap * gap / n;
    noise += 4.0 * m * m * gap * gap / n;
    squares += m * m / n;
    shares[static_cast<std::size_t>(std::find(magnitudes.begin(), magnitudes.end(), m) -
                                    magnitudes.begin())] += 1.0 / n;
  }
  double slope = 2.0 * squares;
  for (std::size_t k = 1; k < magnitudes.size(); ++k) {
    const double c = 0.5 * (magnitudes[k] + magnitudes[k - 1]);
    const double density = std::exp(-0.5 * c * c * s * s) / std::sqrt(2.0 * std::numbers::pi);
    slope -= 4.0 * density * c * c * (magnitudes[k] - magnitudes[k - 1]) * s;
  }
  EXPECT_NEAR(result.squared_error / n,
              known.error,
              5.0 * std::sqrt((fourth - known.error * known.error) / n));
  EXPECT_NEAR(result.scales.at(0), s, 5.0 * std::sqrt(noise / n) / slope);
  for (std::size_t k = 0; k < shares.size(); ++k) {
    // Half a unit of the last known digit, the deviation of a share, and what moves with the scale:
    // both thresholds of a level of density below 0.8 and c below 3.
    const double moved = 2.0 * 0.8 * 3.0 * 5.0 * std::sqrt(noise / n) / slope;
    EXPECT_NEAR(shares[k], known.shares[k], 0.5e-4 + 5.0 * 0.5 / std::sqrt(n) + moved);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Sets,
    NormalWeights,
    testing::Values(Normal{"binary", 0.797885, 0.363380, {1.0}},
                    Normal{"ternary", 1.224006, 0.190174, {0.4595, 0.5405}},
                    Normal{"shift:1", 0.842986, 0.082178, {0.3266, 0.4673, 0.2061}},
                    Normal{"shift:2", 0.518127, 0.047560, {0.2044, 0.3585, 0.3170, 0.1201}}),
    [](const auto& instance) {
      std::string name = instance.param.set;
      std::replace(name.begin(), name.end(), ':', '_');
      return name;
    });

TEST(Projection, HoldsAtTheLargestFloat) {
  for (const std::string set : {"binary", "ternary", "shift:1", "shift:2", "shift:6"}) {
    SCOPED_TRACE(set);
    const std::vector<float> weights = {kMax, -kMax, kMax};
    const Quantized result = project(set, weights);
    EXPECT_EQ(decoded(result), weights);
    EXPECT_EQ(result.squared_error, 0.0);
  }
}

TEST(Projection, DecodesHugeWeightsToFiniteOnes) {
  // At the unlimited optimum near 0.55 the level 2 would overflow.
  const std::vector<float> weights = {0.55F * kMax, 0.55F * kMax, 0.55F * kMax, kMax, -0.3F * kMax};
  for (const std::string set : {"ternary", "shift:1", "shift:2", "shift:3"}) {
    SCOPED_TRACE(set);
    for (const float w : decoded(project(set, weights))) EXPECT_TRUE(std::isfinite(w));
  }
}

TEST(Projection, HoldsAtTheSmallestFloats) {
  for (const std::string set : {"ternary", "shift:1", "shift:2"}) {
    SCOPED_TRACE(set);
    const std::vector<float> weights = {3 * kDenormal, 0.0F, -3 * kDenormal};
    const Quantized result = project(set, weights);
    EXPECT_EQ(result.scales.at(0), 3 * kDenormal);
    EXPECT_EQ(decoded(result), weights);
  }
}

TEST(Projection, GivesZerosWhereTheScaleIsBelowTheSmallestFloat) {
  const Quantized result = project("binary", {-kDenormal, 0.0F, 0.0F, 0.0F});
  EXPECT_EQ(result.scales.at(0), 0.0F);
  EXPECT_EQ(result.codes, (std::vector<Code>{1, 1, 1, 1}));
  EXPECT_EQ(result.squared_error, static_cast<double>(kDenormal) * kDenormal);
}

}  // namespace
}  // namespace lastbit
