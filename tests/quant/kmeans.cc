// Learned levels, the closed form of powers of two, and alternating projection.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/quant/projector.h"

namespace lastbit {
namespace {

constexpr float kMax = std::numeric_limits<float>::max();

const std::vector<float> kTwelve = {
    0.9F, -0.05F, 0.31F, -1.7F, 0.42F, 0.0F, -0.66F, 2.4F, -0.18F, 0.77F, -0.93F, 0.12F};

Quantized project(const std::string& set,
                  const std::vector<float>& weights,
                  const ProjectionHints& hints = {}) {
  const ChannelLayout layout{1, 1, static_cast<std::int64_t>(weights.size())};
  return parse_projector(set)->project(weights, layout, hints);
}

std::vector<float> decoded(const Quantized& quantized) {
  std::vector<float> weights(quantized.codes.size());
  decode(quantized, weights);
  return weights;
}

void expect_levels(const Quantized& quantized, const std::vector<double>& expected) {
  ASSERT_EQ(quantized.levels.size(), static_cast<int>(expected.size()));
  for (std::size_t k = 0; k < expected.size(); ++k) {
    // Weights of at most 2.4 are rounded to float.
    EXPECT_NEAR(quantized.levels.levels()[k], expected[k], 2.4e-7) << "level " << k;
  }
}

std::vector<float> normal_weights(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> weights(count);
  for (float& w : weights) w = static_cast<float>(random.normal());
  return weights;
}

TEST(KMeans, GivesTheKnownOptimaOfTwelveWeights) {
  expect_levels(project("kmeans:2", kTwelve), {-0.2966666667, 1.3566666667});
  expect_levels(project("kmeans:3", kTwelve), {-1.0966666667, 0.28625, 2.4});
  expect_levels(project("kmeans:4", kTwelve), {-1.0966666667, 0.04, 0.6966666667, 2.4});
  EXPECT_NEAR(project("kmeans:2", kTwelve).squared_error, 5.3614666667, 1e-5);
  EXPECT_NEAR(project("kmeans:3", kTwelve).squared_error, 1.6516541667, 1e-5);
  EXPECT_NEAR(project("kmeans:4", kTwelve).squared_error, 0.8431333333, 1e-5);
}

// The optimal quantizer of a normal variable. The error is a mean of squares of deviation below
// 0.2; what more levels the sample lends to chance is far below that.
TEST(KMeans, GivesTheKnownErrorOfNormalWeights) {
  constexpr std::size_t kCount = 400'000;
  const auto weights = normal_weights(kCount, 1);
  const double noise = 5.0 * 0.2 / std::sqrt(static_cast<double>(kCount));
  EXPECT_NEAR(project("kmeans:4", weights).squared_error / kCount, 0.117482, noise);
  EXPECT_NEAR(project("kmeans:8", weights).squared_error / kCount, 0.034548, noise);
  EXPECT_NEAR(project("kmeans:16", weights).squared_error / kCount, 0.009501, noise);
  EXPECT_NEAR(project("kmeans:32", weights).squared_error / kCount, 0.002505, noise);
}

TEST(KMeans, KeepsFewerValuesThanLevelsAndFillsUpAboveThem) {
  const Quantized two = project("kmeans:4", {3.0F, -1.0F, 3.0F, -1.0F});
  EXPECT_EQ(decoded(two), (std::vector<float>{3, -1, 3, -1}));
  EXPECT_EQ(two.squared_error, 0.0);
  const float next = std::nextafter(3.0F, kMax);
  EXPECT_EQ(two.levels, Codebook({-1.0F, 3.0F, next, std::nextafter(next, kMax)}));
}

TEST(KMeans, TakesZerosOneWeightAndEqualOnes) {
  const float least = std::numeric_limits<float>::denorm_min();
  for (const std::size_t count : {1, 2, 1000}) {
    const Quantized zeros = project("kmeans:2", std::vector<float>(count, -0.0F));
    EXPECT_EQ(zeros.levels, Codebook({0.0F, least}));
    EXPECT_EQ(zeros.codes, std::vector<Code>(count, 0));
    const std::vector<float> equal(count, -0.3F);
    const Quantized same = project("kmeans:3", equal);
    EXPECT_EQ(decoded(same), equal);
    EXPECT_EQ(same.squared_error, 0.0);
  }
}

TEST(KMeans, FillsUpBelowWhereFloatsEnd) {
  const Quantized result = project("kmeans:3", {kMax, -1.0F});
  EXPECT_EQ(result.levels, Codebook({std::nextafter(-1.0F, -kMax), -1.0F, kMax}));
  EXPECT_EQ(decoded(result), (std::vector<float>{kMax, -1.0F}));
}

TEST(KMeans, FillsUpInBetweenWhereFloatsEndAtBothSides) {
  const float next = std::nextafter(-kMax, kMax);
  const Quantized result = project("kmeans:4", {kMax, -kMax, next});
  EXPECT_EQ(result.levels, Codebook({-kMax, next, std::nextafter(next, kMax), kMax}));
  EXPECT_EQ(decoded(result), (std::vector<float>{kMax, -kMax, next}));
}

TEST(KMeans, HoldsAtTheLargestFloats) {
  const Quantized result = project("kmeans:2", {kMax, kMax, -kMax, 0.5F * kMax, -0.9F * kMax});
  for (const float w : decoded(result)) EXPECT_TRUE(std::isfinite(w));
  EXPECT_LT(result.levels[0], -0.9F * kMax);
  EXPECT_GT(result.levels[1], 0.5F * kMax);
}

TEST(KMeans, CommutesWithPowersOfTwo) {
  const auto weights = normal_weights(5000, 3);
  const Quantized one = project("kmeans:5", weights);
  for (const int exponent : {-30, 40}) {
    auto scaled = weights;
    for (float& w : scaled) w = std::ldexp(w, exponent);
    const Quantized other = project("kmeans:5", scaled);
    EXPECT_EQ(other.codes, one.codes);
    EXPECT_EQ(other.squared_error, std::ldexp(one.squared_error, 2 * exponent));
  }
}

TEST(KMeans, ImprovesItsStartToALocalOptimum) {
  auto weights = normal_weights(20'000, 4);
  const Quantized start = project("kmeans:4", weights);
  for (float& w : weights) w = 0.9F * w + 0.05F;
  const Quantized warm = project("kmeans:4", weights, {.importance = {}, .start = &start});
  const Quantized exact = project("kmeans:4", weights);
  EXPECT_GE(warm.squared_error, exact.squared_error * (1.0 - 1e-12));
  // Normal weights have one local optimum; rounds end where they gain less than a millionth.
  EXPECT_LE(warm.squared_error, exact.squared_error * (1.0 + 1e-3));
}

TEST(KMeans, StartsAnewWhereALevelHasLostItsWeights) {
  const auto weights = normal_weights(2000, 5);
  Quantized start = project("kmeans:3", weights);
  start.levels = Codebook({-1.0F, 1.0F, 100.0F});
  EXPECT_EQ(project("kmeans:3", weights, {.importance = {}, .start = &start}).levels,
            project("kmeans:3", weights).levels);
}

TEST(KMeans, WeighsItsStartToo) {
  const auto weights = normal_weights(3000, 6);
  std::vector<float> importance(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) importance[i] = weights[i] > 0.0F ? 4.0F : 0.5F;
  const Quantized exact = project("kmeans:4", weights, {.importance = importance});
  const Quantized warm = project("kmeans:4", weights, {.importance = importance, .start = &exact});
  for (int k = 0; k < 4; ++k) {
    EXPECT_NEAR(warm.levels.levels()[static_cast<std::size_t>(k)],
                exact.levels.levels()[static_cast<std::size_t>(k)],
                1e-5);
  }
}

// Carreira-Perpinan and Idelbayev, arXiv 1707.04319: with f = -log2 |t|, 0 if f > C + 1, 1 if
// f <= 0, 2^-C if C < f <= C + 1, else 2^-floor(f + log2(3/2)), with the sign of t.
TEST(PowersOfTwo, FollowTheClosedForm) {
  for (int c = 1; c <= 6; ++c) {
    const auto weights = normal_weights(5000, static_cast<std::uint64_t>(c));
    const auto result = decoded(project("pow2:" + std::to_string(c) + "/none", weights));
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double f = -std::log2(std::abs(static_cast<double>(weights[i])));
      double q = std::exp2(-std::floor(f + std::log2(1.5)));
      if (f > c) q = std::exp2(-c);
      if (f > c + 1) q = 0.0;
      if (f <= 0.0) q = 1.0;
      ASSERT_EQ(result[i], static_cast<float>(std::copysign(q, weights[i])) + 0.0F) << weights[i];
    }
  }
  EXPECT_EQ(decoded(project("pow2:3/none", kTwelve)),
            (std::vector<float>{1, 0, 0.25F, -1, 0.5F, 0, -0.5F, 1, -0.125F, 1, -1, 0.125F}));
}

TEST(Alternating, StopsAtTheKnownLocalOptimum) {
  const Quantized result = project("shift:2/tensor/alternating", kTwelve);
  EXPECT_NEAR(result.scales.at(0), 0.6672, 2e-7);
  EXPECT_NEAR(result.squared_error, 0.546304, 1e-5);
}

TEST(Alternating, NeverBeatsTheExactProjectionAndNeverMakesItsStartWorse) {
  for (const std::string form :
       {"binary", "ternary", "shift:2", "pow2:2", "levels:-1,0,0.5,1", "levels:0.5,1,4"}) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      SCOPED_TRACE(form);
      const auto weights = normal_weights(27, seed);
      const auto importance_source = normal_weights(27, seed + 1000);
      std::vector<float> importance;
      for (const float x : importance_source) importance.push_back(x * x);
      for (const bool weighted : {false, true}) {
        const auto error = [&](const Quantized& q) {
          const auto after = decoded(q);
          double sum = 0.0;
          for (std::size_t i = 0; i < after.size(); ++i) {
            const double gap = static_cast<double>(weights[i]) - after[i];
            sum += (weighted ? static_cast<double>(importance[i]) : 1.0) * gap * gap;
          }
          return sum;
        };
        ProjectionHints hints;
        if (weighted) hints.importance = importance;
        const Quantized exact = project(form, weights, hints);
        const Quantized local = project(form + "/tensor/alternating", weights, hints);
        // Scales are rounded to float: far below a millionth of the error.
        EXPECT_LE(error(exact), error(local) * (1.0 + 1e-6));
        hints.start = &exact;
        const Quantized again = project(form + "/tensor/alternating", weights, hints);
        EXPECT_LE(error(again), error(exact) * (1.0 + 1e-6));
        hints.start = &local;
        const Quantized settled = project(form + "/tensor/alternating", weights, hints);
        EXPECT_LE(error(settled), error(local) * (1.0 + 1e-6));
      }
    }
  }
}

TEST(Alternating, GivesZerosForZerosAndForLevelsOnTheOtherSide) {
  EXPECT_EQ(project("shift:2/tensor/alternating", std::vector<float>(5, 0.0F)).scales.at(0), 0.0F);
  EXPECT_EQ(project("levels:1,2/tensor/alternating", {-1.0F, -2.0F}).scales.at(0), 0.0F);
  EXPECT_EQ(project("levels:1,2", {-1.0F, -2.0F}).scales.at(0), 0.0F);
}

}  // namespace
}  // namespace lastbit
