#include "lastbit/method/soft_levels.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "lastbit/method/exponential.h"
#include "support.h"

namespace lastbit {
namespace {

const Codebook kBinary({-1.0F, 1.0F});
const Codebook kTernary({-1.0F, 0.0F, 1.0F});
const Codebook kShift({-4.0F, -2.0F, -1.0F, 0.0F, 1.0F, 2.0F, 4.0F});
const Codebook kUneven({-0.3F, 0.1F, 0.2F, 0.9F});
const Codebook kFive({-2.0F, -1.0F, 0.0F, 1.0F, 2.0F});
const Codebook kSix({-1.5F, -1.0F, 0.0F, 0.25F, 1.0F, 2.0F});
const Codebook kNine({-2.0F, -1.0F, -0.5F, -0.25F, 0.0F, 0.25F, 0.5F, 1.0F, 2.0F});

// P and its slope, straight from the definitions.
struct Exact {
  double value = 0.0;
  double slope = 0.0;
};

Exact exact(Softness softness, const Codebook& levels, double x, double beta) {
  if (softness == Softness::kTanh && levels.size() == 2) {
    const double t = std::tanh(beta * x);
    return {t, beta * (1.0 - t * t)};
  }
  if (softness == Softness::kTanh) {
    const double up = std::tanh(beta * (x + 0.5));
    const double down = std::tanh(beta * (x - 0.5));
    return {0.5 * (up + down), 0.5 * beta * (2.0 - up * up - down * down)};
  }
  const auto q = levels.levels();
  const double h = 0.5 * (q.back() - static_cast<double>(q.front())) / (levels.size() - 1);
  double most = -std::numeric_limits<double>::infinity();
  for (const double level : q) most = std::max(most, level * x - 0.5 * level * level);
  double total = 0.0;
  double mean = 0.0;
  double square = 0.0;
  for (const double level : q) {
    const double u = std::exp(beta / (h * h) * (level * x - 0.5 * level * level - most));
    total += u;
    mean += level * u;
    square += level * level * u;
  }
  mean /= total;
  return {mean, beta / (h * h) * (square / total - mean * mean)};
}

std::vector<float> mapped(const SoftLevels& soft,
                          const std::vector<float>& latent,
                          const std::vector<float>& scale,
                          Sharpness sharpness) {
  torch::Tensor seen = torch::empty({static_cast<std::int64_t>(latent.size())});
  soft.map(tensor_of(latent), tensor_of(scale), sharpness, seen);
  return vector_of(seen);
}

struct Case {
  Softness softness;
  const Codebook* levels;
};

class EachMap : public testing::TestWithParam<Case> {};

// beta x is rounded 4 times on its way (scale, stretch, shift, beta), at most 4 * 3 * beta here in
// units of half an ulp at 1, and moves the value by at most the largest slope, beta for the tanh
// and 2 beta for the levels used here; the exponentials add some ulps of values up to 4.
double tolerance(double beta) { return kRounding * (64.0 + 64.0 * beta); }

TEST_P(EachMap, AgreesWithItsDefinitionInDouble) {
  const SoftLevels soft(GetParam().softness, *GetParam().levels);
  const std::vector<float> x = random_values(1037, 1);
  for (const float scale : {1.0F, 0.04F}) {
    std::vector<float> latent;
    for (const float value : x) latent.push_back(scale * value);
    const std::vector<float> scales(x.size(), scale);
    for (const double beta : {0.1, 1.0, 5.0, 40.0}) {
      const std::vector<float> seen = mapped(soft, latent, scales, {.beta = beta});
      for (std::size_t i = 0; i < x.size(); ++i) {
        const Exact expected = exact(
            GetParam().softness, *GetParam().levels, static_cast<double>(latent[i]) / scale, beta);
        ASSERT_NEAR(seen[i] / scale, expected.value, tolerance(beta)) << x[i] << ", " << beta;
      }
    }
  }
}

TEST_P(EachMap, ChainsGradientsByItsSlope) {
  const SoftLevels soft(GetParam().softness, *GetParam().levels);
  const std::vector<float> x = random_values(1037, 2);
  const std::vector<float> g = random_values(1037, 3);
  const torch::Tensor scale = torch::full({1037}, 0.5F);
  for (const double beta : {0.1, 1.0, 5.0}) {
    torch::Tensor gradient = tensor_of(g);
    soft.chain(tensor_of(x), scale, {.beta = beta}, gradient);
    const std::vector<float> all = vector_of(gradient);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Exact expected = exact(GetParam().softness, *GetParam().levels, 2.0 * x[i], beta);
      // The slope of the slope has another factor of beta.
      const double bound = (1.0 + 20.0 * beta) * tolerance(beta) * std::abs(g[i]);
      ASSERT_NEAR(all[i], expected.slope * g[i], bound) << x[i] << ", " << beta;
    }
  }
}

TEST_P(EachMap, StretchesBeforeItRounds) {
  const SoftLevels soft(GetParam().softness, *GetParam().levels);
  const std::vector<float> x = {-0.75F, 0.125F, 0.5F};
  std::vector<float> doubled = x;
  for (float& value : doubled) value *= 2.0F;
  const std::vector<float> scale(3, 1.0F);
  EXPECT_EQ(mapped(soft, x, scale, {.beta = 3.0, .stretch = 2.0}),
            mapped(soft, doubled, scale, {.beta = 3.0}));
}

TEST_P(EachMap, HoldsTheExtremes) {
  const SoftLevels soft(GetParam().softness, *GetParam().levels);
  constexpr float kMost = std::numeric_limits<float>::max();
  const float outer = GetParam().levels->levels().back();
  const std::vector<float> latent = {0.0F, -0.0F, 1e-38F, -1e-38F, 1.0F, -1.0F, kMost, -kMost};
  for (const float unit : {0.0F, 1e-30F, 1.0F, 1e30F}) {
    const std::vector<float> scale(latent.size(), unit);
    for (const double beta : {1e-3, 1.0, 1e4, 1e35}) {
      const std::vector<float> seen = mapped(soft, latent, scale, {.beta = beta});
      for (std::size_t i = 0; i < latent.size(); ++i) {
        ASSERT_LE(std::abs(seen[i]), unit * outer) << latent[i] << ", " << unit << ", " << beta;
      }
    }
  }
}

// 1e35 is the papers' bound on beta.
TEST_P(EachMap, IsRoundingAtTheLargestBeta) {
  const SoftLevels soft(GetParam().softness, *GetParam().levels);
  const SoftLevels hard(Softness::kHard, *GetParam().levels);
  const std::vector<float> x = random_values(999, 4);
  const std::vector<float> scale(x.size(), 0.7F);
  EXPECT_EQ(mapped(soft, x, scale, {.beta = 1e35}), mapped(hard, x, scale, {}));
}

INSTANTIATE_TEST_SUITE_P(SoftLevels,
                         EachMap,
                         testing::Values(Case{Softness::kTanh, &kBinary},
                                         Case{Softness::kTanh, &kTernary},
                                         Case{Softness::kSoftmax, &kBinary},
                                         Case{Softness::kSoftmax, &kTernary},
                                         Case{Softness::kSoftmax, &kShift},
                                         Case{Softness::kSoftmax, &kUneven},
                                         Case{Softness::kSoftmax, &kFive},
                                         Case{Softness::kSoftmax, &kSix},
                                         Case{Softness::kSoftmax, &kNine}));

TEST(SoftLevels, ShiftedTanhHasItsKnownValues) {
  const SoftLevels soft(Softness::kTanh, kTernary);
  const std::vector<float> scale(6, 1.0F);
  const std::vector<float> seen =
      mapped(soft, {0.2F, 0.5F, 1.0F, -0.2F, -0.5F, -1.0F}, scale, {.beta = 5.0});
  const std::vector<double> expected = {.046514822, .4999546021, .9933068432};
  for (std::size_t i = 0; i < 3; ++i) {
    // The table has nine decimals.
    EXPECT_NEAR(seen[i], expected[i], tolerance(5.0) + 1e-9);
    EXPECT_EQ(seen[i + 3], -seen[i]);
  }
}

TEST(SoftLevels, HardRoundingSettlesTiesAsTheCodebookDoes) {
  for (const Codebook* levels : {&kBinary, &kTernary, &kShift}) {
    const SoftLevels hard(Softness::kHard, *levels);
    std::vector<float> x;
    for (int i = -40; i <= 40; ++i) x.push_back(static_cast<float>(i) * 0.125F);
    const std::vector<float> seen = mapped(hard, x, std::vector<float>(x.size(), 1.0F), {});
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_EQ(seen[i], (*levels)[levels->nearest(x[i])]) << x[i];
    }
  }
}

TEST(SoftLevels, ScalesOfZeroGiveZeros) {
  const SoftLevels soft(Softness::kTanh, kBinary);
  EXPECT_EQ(mapped(soft, {3.0F, 0.0F, -1e-30F}, {0.0F, 0.0F, 0.0F}, {.beta = 2.0}),
            (std::vector<float>{0.0F, 0.0F, -0.0F}));
}

TEST(Exponential, IsCorrectToAFewUnitsInTheLastPlace) {
  for (int i = -86000; i <= 0; i += 7) {
    const float x = static_cast<float>(i) * 1e-3F;
    const double expected = std::expm1(static_cast<double>(x));
    // 8 halves of an ulp of the result.
    ASSERT_NEAR(expm1_of_minus(-x), expected, 8.0 * kRounding * std::abs(expected)) << x;
    ASSERT_NEAR(exp_of_minus(-x), expected + 1.0, 4.0 * kRounding) << x;
    const double t = std::tanh(static_cast<double>(x));
    ASSERT_NEAR(tanh_of(x), t, 16.0 * kRounding * std::abs(t)) << x;
    ASSERT_EQ(tanh_of(-x), -tanh_of(x)) << x;
  }
  for (float x = 1.0F; x > 1e-30F; x *= 0.37F) {
    ASSERT_NEAR(expm1_of_minus(x), std::expm1(-static_cast<double>(x)), 8.0 * kRounding * x) << x;
    ASSERT_NEAR(tanh_of(x), std::tanh(static_cast<double>(x)), 16.0 * kRounding * x) << x;
  }
}

TEST(Exponential, OfTwoIsCorrectToAUnitInTheLastPlace) {
  for (int i = 0; i < 126'000; i += 7) {
    const float y = static_cast<float>(i) * 1e-3F;
    const double expected = std::exp2(-static_cast<double>(y));
    // Two halves of an ulp for the last steps of the polynomial, and a half for its fit.
    ASSERT_NEAR(exp2_of_minus(y), expected, 3.0 * kRounding * expected) << y;
  }
  for (const float y : {126.25F, 126.5F, 126.75F}) {
    ASSERT_GE(exp2_of_minus(y), 0.0F) << y;
    ASSERT_LE(exp2_of_minus(y), 0x1p-125F) << y;
  }
}

TEST(Exponential, EndsAtItsBounds) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(tanh_of(kInfinity), 1.0F);
  EXPECT_EQ(tanh_of(-kInfinity), -1.0F);
  EXPECT_EQ(expm1_of_minus(kInfinity), -1.0F);
  EXPECT_EQ(expm1_of_minus(0.0F), 0.0F);
  EXPECT_EQ(exp_of_minus(0.0F), 1.0F);
  EXPECT_EQ(exp_of_minus(kInfinity), 0.0F);
  EXPECT_EQ(exp2_of_minus(0.0F), 1.0F);
  EXPECT_EQ(exp2_of_minus(127.0F), 0.0F);
  EXPECT_EQ(exp2_of_minus(kInfinity), 0.0F);
}

TEST(SoftLevels, GiveTheSameBitsForAnyNumberOfThreads) {
  const int before = at::get_num_threads();
  const torch::Tensor latent = tensor_of(random_values(200'001, 4));
  const torch::Tensor scale = torch::full_like(latent, 0.7F);
  const auto both = [&](Softness softness, const Codebook& levels) {
    const SoftLevels soft(softness, levels);
    torch::Tensor seen = torch::empty_like(latent);
    torch::Tensor gradient = torch::ones_like(latent);
    soft.map(latent, scale, {.beta = 3.0}, seen);
    if (softness != Softness::kHard) soft.chain(latent, scale, {.beta = 3.0}, gradient);
    return torch::cat({seen, gradient});
  };
  for (const auto& [softness, levels] : {std::pair(Softness::kTanh, &kBinary),
                                         {Softness::kTanh, &kTernary},
                                         {Softness::kSoftmax, &kTernary},
                                         {Softness::kSoftmax, &kShift},
                                         {Softness::kSoftmax, &kSix},
                                         {Softness::kHard, &kShift}}) {
    at::set_num_threads(1);
    const torch::Tensor one = both(softness, *levels);
    at::set_num_threads(3);
    EXPECT_TRUE(torch::equal(both(softness, *levels), one));
  }
  at::set_num_threads(before);
}

}  // namespace
}  // namespace lastbit
