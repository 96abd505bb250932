#include "lastbit/quant/scale_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/quant/first_look.h"
#include "magnitudes.h"

namespace lastbit {
namespace {

double best_scale(const std::vector<float>& magnitudes, const std::vector<float>& levels) {
  const Side side{magnitudes, {}, levels};
  return lastbit::best_scale(std::span(&side, 1));
}

// As ScaleSearch asks for it.
double best_scale_by_look(const std::vector<float>& magnitudes, const std::vector<float>& levels) {
  if (levels.size() > FirstLook::kMostLevels) {
    return best_scale_of_many(magnitudes, levels, nullptr);
  }
  const FirstLook look(levels);
  return best_scale_of_many(magnitudes, levels, &look);
}

// ||w||^2 - error of the nearest levels at `scale`.
double gain_at(const std::vector<float>& magnitudes,
               const std::vector<float>& levels,
               double scale) {
  double gain = 0.0;
  for (const double w : magnitudes) {
    double most = -std::numeric_limits<double>::infinity();
    for (const double m : levels) most = std::max(most, scale * m * (2.0 * w - scale * m));
    gain += most;
  }
  return gain;
}

// The most that any assignment gains: all events in one list, every fit in between tried.
double best_gain(const std::vector<float>& magnitudes, const std::vector<float>& levels) {
  struct Event {
    double scale, rise1, rise2;
  };
  std::vector<Event> events;
  double s1 = 0.0;
  double s2 = 0.0;
  for (const double w : magnitudes) {
    s1 += w * levels[0];
    s2 += static_cast<double>(levels[0]) * levels[0];
    for (std::size_t k = 1; k < levels.size() && w > 0.0; ++k) {
      const double low = levels[k - 1];
      const double high = levels[k];
      events.push_back({2.0 * w / (low + high), w * (high - low), high * high - low * low});
    }
  }
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
    return a.scale > b.scale;
  });
  double best = s2 > 0.0 ? s1 * s1 / s2 : 0.0;
  for (const Event& event : events) {
    s1 += event.rise1;
    s2 += event.rise2;
    best = std::max(best, s1 * s1 / s2);
  }
  return best;
}

TEST(BestScale, GainsAsMuchAsTheBestOfAllFits) {
  const std::vector<std::vector<float>> codebooks = {{1},
                                                     {0, 1},
                                                     {0, 1, 2},
                                                     {0, 1, 2, 4},
                                                     {0, 1, 2, 4, 8, 16, 32, 64},
                                                     {1, 3},
                                                     {0.5F, 0.75F, 9},
                                                     {0, 0.1F, 10},
                                                     {0, 1, 1e30F},
                                                     {0, 1e-20F, 1, 1e15F}};
  for (const auto& levels : codebooks) {
    for (int kind = 0; kind < 4; ++kind) {
      for (const std::size_t count : {1, 2, 5, 30, 64, 65, 300, 1000, 5000}) {
        const auto magnitudes = magnitudes_of_kind(kind, count, count);
        const double most = best_gain(magnitudes, levels);
        const double gain = gain_at(magnitudes, levels, best_scale(magnitudes, levels));
        // Sums of at most 4e4 rounded terms, all positive: 4e4 * 2^-53 < 1e-11 of them.
        ASSERT_NEAR(gain, most, 2e-11 * most)
            << levels.size() << " levels, kind " << kind << ", count " << count;
      }
    }
  }
}

// Weights of either sign.
TEST(BestScaleOfMany, GainsAsMuchAsTheBestOfAllFits) {
  for (const std::vector<float>& levels : {std::vector<float>{0, 1},
                                           {0, 1, 2},
                                           {0, 1, 2, 4},
                                           {1, 3},
                                           {0.5F, 0.75F, 9},
                                           {0, 1, 1e9F}}) {
    for (int kind = 0; kind < 4; ++kind) {
      // In one part, and in two.
      for (const std::size_t count : {1, 3, 50, 4608, 30'000, 200'000}) {
        SCOPED_TRACE(testing::Message()
                     << levels.size() << " levels, kind " << kind << ", count " << count);
        const auto magnitudes = magnitudes_of_kind(kind, count, 9);
        auto weights = magnitudes;
        Random random(10);
        random.shuffle(std::span(weights));
        for (std::size_t i = 0; i < count; i += 3) weights[i] = -weights[i];
        for (const float unit : {1.0F, 0x1p-60F, 0x1p+60F}) {
          auto scaled = weights;
          for (float& w : scaled) w *= unit;
          const double scale = best_scale_by_look(scaled, levels) / unit;
          const double most = best_gain(magnitudes, levels);
          // Sums of at most 1.2e5 rounded terms.
          ASSERT_NEAR(gain_at(magnitudes, levels, scale), most, 6e-11 * most) << unit;
        }
      }
    }
  }
}

// As many as a channel has, of which few are left to be sorted.
TEST(BestScaleOfMany, GainsTheMostForWeightsOfManyShapes) {
  for (const std::vector<float>& levels : {std::vector<float>{0, 1},
                                           {0.25F, 1},
                                           {0, 1, 2},
                                           {0, 1, 2, 4},
                                           {0, 0.125F, 0.25F, 0.5F, 1},
                                           {1, 3, 5, 7}}) {
    for (int shape = 0; shape < 6; ++shape) {
      for (std::uint64_t seed = 0; seed < 4; ++seed) {
        Random random(20 + seed, static_cast<std::uint64_t>(shape));
        std::vector<float> weights(1000 + random.below(4000));
        for (float& w : weights) {
          const double x = random.uniform();
          const double n = random.normal();
          const std::array<double, 6> drawn = {n,
                                               -std::log(1.0 - x),
                                               x,
                                               n / std::sqrt(1e-3 + x),
                                               std::round(3.0 * n),
                                               x < 0.9 ? 0.0 : n};
          w = static_cast<float>(drawn[static_cast<std::size_t>(shape)]);
        }
        auto sorted = weights;
        for (float& w : sorted) w = std::abs(w);
        std::sort(sorted.begin(), sorted.end());
        const double most = best_gain(sorted, levels);
        const double gain = gain_at(sorted, levels, best_scale_by_look(weights, levels));
        // Sums of at most 4 * 5000 rounded terms.
        ASSERT_NEAR(gain, most, 1e-11 * most)
            << levels.size() << " levels, shape " << shape << ", seed " << seed;
      }
    }
  }
}

// No step is taken at the best scale, nor near it: all that is not zero is far above the threshold.
TEST(BestScaleOfMany, GainsTheMostForFewDistinctWeights) {
  Random random(5);
  for (const std::size_t size : {300U, 5'000U, 16'385U, 40'000U, 131'071U, 131'072U, 150'000U}) {
    for (const std::vector<float>& values :
         {std::vector<float>{1.0F}, {0.0F, 1.0F}, {0.0F, 1.0F, 3.0F}, {0.5F, 0.5001F, 7.0F}}) {
      for (const double share : {0.001, 0.005, 0.3}) {
        std::vector<float> weights(size, values[0]);
        for (float& w : weights) {
          if (random.uniform() < share) w = values[random.below(values.size())];
        }
        weights.back() = values.back();
        std::vector<float> magnitudes = weights;
        std::sort(magnitudes.begin(), magnitudes.end());
        for (const std::vector<float>& levels : {std::vector<float>{0.0F, 1.0F},
                                                 {0.0F, 1.0F, 2.0F, 4.0F},
                                                 {0.25F, 0.75F},
                                                 {0.5F, 1.0F, 1.5F}}) {
          const double scale = best_scale_by_look(weights, levels);
          const double most = best_gain(magnitudes, levels);
          EXPECT_NEAR(gain_at(magnitudes, levels, scale), most, 1e-9 * most)
              << size << " weights, " << values.size() << " values, levels from " << levels[0];
        }
      }
    }
  }
}

std::optional<double> by_guess(const std::vector<float>& weights,
                               const std::vector<float>& levels,
                               double expected = 0.0) {
  return best_scale_by_guess(weights, levels, FirstLook(levels), expected);
}

TEST(BestScaleByGuess, FindsTheBestScaleOfNormalWeights) {
  Random random(30);
  std::vector<float> weights(4608);
  for (float& w : weights) w = static_cast<float>(random.normal());
  auto sorted = weights;
  for (float& w : sorted) w = std::abs(w);
  std::sort(sorted.begin(), sorted.end());
  // The best scale over the mean magnitude, about.
  const std::vector<std::pair<std::vector<float>, double>> cases = {{{0, 1}, 1.54},
                                                                    {{1, 3}, 0.62},
                                                                    {{0, 1, 2}, 1.06},
                                                                    {{0, 1, 2, 4}, 0.66},
                                                                    {{0, 0.25F, 0.5F, 1}, 2.6},
                                                                    {{1, 3, 5, 7}, 0.37}};
  for (const auto& [levels, expected] : cases) {
    const auto scale = by_guess(weights, levels, expected);
    ASSERT_TRUE(scale.has_value()) << levels.size() << " levels";
    EXPECT_NEAR(*scale, best_scale(sorted, levels), 1e-12);
  }
  const auto scale = by_guess(weights, {0, 1});
  ASSERT_TRUE(scale.has_value());
  EXPECT_NEAR(*scale, best_scale(sorted, {0, 1}), 1e-12);
}

// Few values, each of many weights; far smaller ones and larger ones; zeros; and the ends of
// floats.
TEST(BestScaleByGuess, GainsTheMostWhateverIsExpected) {
  for (const std::vector<float>& levels : {std::vector<float>{0, 1},
                                           {0.25F, 1},
                                           {0, 1, 2},
                                           {0, 1, 2, 4},
                                           {0, 0.125F, 0.25F, 0.5F, 1},
                                           {1, 3, 5, 7},
                                           {0, 1, 2, 4, 8, 16, 32, 64}}) {
    const FirstLook look(levels);
    for (int shape = 0; shape < 7; ++shape) {
      Random random(40, static_cast<std::uint64_t>(shape));
      std::vector<float> weights(1000 + random.below(4000));
      for (float& w : weights) {
        const double n = random.normal();
        const double x = random.uniform();
        const std::array<double, 7> drawn = {n,
                                             std::round(2.0 * n),
                                             x < 0.5 ? 1.0 : 3.0,
                                             std::exp(8.0 * n),
                                             x < 0.97 ? 0.0 : n,
                                             x < 0.5 ? n : 2.0 + 1e-6 * n,
                                             1e-44 * n};
        w = static_cast<float>(drawn[static_cast<std::size_t>(shape)]);
      }
      auto sorted = weights;
      for (float& w : sorted) w = std::abs(w);
      std::sort(sorted.begin(), sorted.end());
      const double most = best_gain(sorted, levels);
      const double mean =
          std::accumulate(sorted.begin(), sorted.end(), 0.0) / static_cast<double>(sorted.size());
      const double best = best_scale(sorted, levels) / mean;
      for (const double expected : {0.0, 0.01, 0.5 * best, 0.95 * best, best, 2.0 * best, 1e9}) {
        const double scale = best_scale_of_many(weights, levels, &look, expected);
        // Sums of at most 7 * 5000 rounded terms.
        ASSERT_NEAR(gain_at(sorted, levels, scale), most, 2e-11 * most)
            << levels.size() << " levels, shape " << shape << ", expected " << expected / best;
      }
    }
  }
}

// Two scales that gain nearly the same, as those of powers of two, each of which wins at times.
TEST(BestScaleOfMany, FindsTheBetterOfTwoGoodScalesFarApart) {
  const std::vector<float> levels{0, 0.125F, 0.25F, 0.5F, 1};
  const FirstLook look(levels);
  int larger = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Random random(50, seed);
    std::vector<float> weights(4608);
    for (float& w : weights) w = static_cast<float>(random.normal());
    auto sorted = weights;
    for (float& w : sorted) w = std::abs(w);
    std::sort(sorted.begin(), sorted.end());
    const double scale = best_scale_of_many(weights, levels, &look, 3.05);
    ASSERT_NEAR(scale, best_scale(sorted, levels), 1e-9) << "seed " << seed;
    if (scale > 2.5) ++larger;
  }
  EXPECT_GT(larger, 5);
  EXPECT_LT(larger, 55);
}

TEST(BestScaleByGuess, LeavesWhatItCannotSearchForToOthers) {
  EXPECT_FALSE(by_guess(std::vector<float>(4608, 0.0F), {0, 1}));
  EXPECT_FALSE(by_guess(std::vector<float>(4608, 0.0F), {0, 1}, 1.5));
  EXPECT_FALSE(by_guess(std::vector<float>(100, 1.0F), {0, 1}));  // too few
  constexpr float kMax = std::numeric_limits<float>::max();
  EXPECT_FALSE(by_guess(std::vector<float>(4608, kMax), {0, 1}));
  EXPECT_FALSE(by_guess(std::vector<float>(4608, kMax), {0, 1}, 1.5));
}

TEST(BestScaleByGuess, IsThatOfWeightsThatAreAllEqual) {
  EXPECT_EQ(by_guess(std::vector<float>(4608, 1.0F), {0, 1}), 1.0);
  EXPECT_EQ(by_guess(std::vector<float>(4608, 1.0F), {0, 1}, 1.5), 1.0);
}

// The larger ones alone gain 16 each, and with the eight smaller ones to each (4 + 8)^2 / 9.
TEST(BestScaleOfMany, PrefersTheLargerOfTwoEqual) {
  std::vector<float> weights;
  for (int i = 0; i < 500; ++i) {
    weights.push_back(4.0F);
    weights.insert(weights.end(), 8, -1.0F);
  }
  const std::vector<float> levels{0, 1};
  EXPECT_EQ(best_scale_by_look(weights, levels), 4.0);
}

TEST(BestScaleOfMany, IsZeroForZeros) {
  EXPECT_EQ(best_scale_by_look(std::vector<float>(300, -0.0F), std::vector<float>{0, 1}), 0.0);
}

TEST(BestScaleOfMany, AgreesAtTheEndsOfFloats) {
  const float least = std::numeric_limits<float>::denorm_min();
  const float most = std::numeric_limits<float>::max();
  for (const std::vector<float>& weights :
       {std::vector<float>{3 * least, 0, -3 * least, least}, {most, -most, 0.5F * most}}) {
    for (const std::vector<float>& levels : {std::vector<float>{0, 1}, {0, 1, 2}}) {
      auto magnitudes = weights;
      for (float& w : magnitudes) w = std::abs(w);
      std::sort(magnitudes.begin(), magnitudes.end());
      EXPECT_EQ(best_scale_by_look(weights, levels), best_scale(magnitudes, levels));
    }
  }
}

TEST(BestScale, PrefersTheLargerOfTwoEqual) {
  // {1, 1} lies in the set {0, 1, 2} at scale 1 and at scale 1/2.
  EXPECT_EQ(best_scale(std::vector<float>{1, 1}, std::vector<float>{0, 1, 2}), 1.0);
  // 4 alone gains 16, and so does 4 with eight ones: (4 + 8)^2 / 9.
  const std::vector<float> tie{1, 1, 1, 1, 1, 1, 1, 1, 4};
  EXPECT_EQ(best_scale(tie, std::vector<float>{0, 1}), 4.0);
}

TEST(BestScale, KeepsEveryLevelBelowTheLargestFloat) {
  constexpr float kMax = std::numeric_limits<float>::max();
  EXPECT_EQ(best_scale(std::vector<float>{kMax, kMax}, std::vector<float>{0, 1}), kMax);
  const std::vector<float> levels{0, 1, 2};
  const std::vector<float> weights{0.55F * kMax, 0.55F * kMax, 0.55F * kMax, kMax};
  const double scale = best_scale(weights, levels);
  EXPECT_LE(2.0 * scale, kMax);
  double most = 0.0;
  for (int i = 1; i <= 5000; ++i) {
    most = std::max(most, gain_at(weights, levels, 0.5 * kMax * i / 5000.0));
  }
  EXPECT_GE(gain_at(weights, levels, scale), most * (1.0 - 1e-14));
}

// Most are zeros, or far below the largest, and the threshold lies among them.
TEST(BestScaleOfMany, GainsTheMostWhereFewWeightsAreFarLarger) {
  const std::vector<float> levels{0, 1, 2, 4};
  for (const float small : {0.0F, 1e-3F, 1e-7F, 1e-40F}) {
    Random random(11);
    std::vector<float> weights(3000);
    for (float& w : weights) w = small * static_cast<float>(std::abs(random.normal()));
    for (const float large : {0.0F, 1.0F}) {
      weights[17] = large;
      auto sorted = weights;
      std::sort(sorted.begin(), sorted.end());
      const double most = best_gain(sorted, levels);
      const double gain = gain_at(sorted, levels, best_scale_by_look(weights, levels));
      // Sums of at most 1e4 rounded terms, all positive.
      EXPECT_NEAR(gain, most, 2e-11 * most) << small << " and " << large;
    }
  }
}

TEST(BestScale, IsZeroForZeros) {
  for (const std::vector<float>& levels : {std::vector<float>{1}, {0, 1}, {1, 2}, {0, 1, 2, 4}}) {
    EXPECT_EQ(best_scale(std::vector<float>(300, 0.0F), levels), 0.0);
  }
}

}  // namespace
}  // namespace lastbit
