#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/method/parq.h"
#include "lastbit/method/registry.h"
#include "support.h"

namespace lastbit {
namespace {

using Given = std::map<std::string, std::string>;

std::unique_ptr<Method> make(const char* name, const Given& given = {}) {
  return make_method(find_method(name), given);
}

std::vector<float> seen_at(const Method& method, std::int64_t step, std::int64_t steps) {
  return vector_of(method.seen({.step = step, .total_steps = steps}));
}

void expect_near(const std::vector<float>& result, const std::vector<double>& expected) {
  ASSERT_EQ(result.size(), expected.size());
  for (std::size_t i = 0; i < result.size(); ++i) {
    EXPECT_NEAR(result[i], expected[i], 8 * kRounding * std::max(1.0, std::abs(expected[i]))) << i;
  }
}

TEST(Parq, HasThePapersInverseSlope) {
  const std::map<int, double> expected = {
      {0, 1.0}, {25, 0.92989628}, {50, 0.5}, {75, 0.07010372}, {99, 0.00070817}};
  for (const auto& [percent, slope] : expected) {
    // Half a unit of the last digit given.
    EXPECT_NEAR(parq_inverse_slope(percent / 100.0, 10.0), slope, 0.5e-8) << percent;
  }
  EXPECT_EQ(parq_inverse_slope(1.0, 10.0), 0.0);
}

TEST(Parq, IsThePiecewiseAffineMapBetweenLevels) {
  const auto parq = make("parq", {{"anneal", "1"}});
  const std::vector<float> v = {-7.0F, -3.5F, -2.6F, -1.2F, -0.5F, 0.1F, 0.6F, 2.0F, 3.25F, 9.0F};
  Weights weights = one_layer(v, "shift:2/none");
  parq->begin(weights);
  const std::vector<double> levels = {-4, -2, -1, 0, 1, 2, 4};
  for (const std::int64_t step : {0, 30, 50, 90}) {
    SCOPED_TRACE(step);
    const double inverse = parq_inverse_slope(static_cast<double>(step) / 100.0, 10.0);
    std::vector<double> expected;
    for (const float one : v) {
      const double x = std::clamp(static_cast<double>(one), -4.0, 4.0);
      std::size_t k = 0;
      while (k + 2 < levels.size() && levels[k + 1] <= x) ++k;
      const double centre = 0.5 * (levels[k] + levels[k + 1]);
      expected.push_back(std::clamp(centre + (x - centre) / inverse, levels[k], levels[k + 1]));
    }
    const std::vector<float> result = seen_at(*parq, step, 100);
    for (std::size_t i = 0; i < v.size(); ++i) {
      // The slope and the distance from the centre, at most 1 within a cell, are rounded.
      EXPECT_NEAR(result[i], expected[i], 4 * kRounding * (4.0 + 1.0 / inverse)) << v[i];
    }
  }
}

TEST(BinaryRelax, SharesWeightsAndRoundingByLambda) {
  const auto relax = make("binaryrelax", {{"lambda", "3"}, {"anneal", "0.5"}});
  Weights weights = one_layer({0.25F, -0.5F, 1.5F, -4.0F}, "binary/none");
  relax->begin(weights);
  expect_near(seen_at(*relax, 10, 100),
              {(0.25 + 3) / 4, (-0.5 - 3) / 4, (1.5 + 3) / 4, (-4.0 - 3) / 4});
  EXPECT_EQ(seen_at(*relax, 50, 100), (std::vector<float>{1, -1, 1, -1}));
}

TEST(BinaryRelax, MovesTheShareLinearlyWithoutLambda) {
  const auto relax = make("binaryrelax", {{"anneal", "0.5"}});
  Weights weights = one_layer({0.25F, -0.5F}, "binary/none");
  relax->begin(weights);
  EXPECT_EQ(seen_at(*relax, 0, 100), (std::vector<float>{0.25F, -0.5F}));
  expect_near(seen_at(*relax, 25, 100), {0.5 * 1.25, -0.5 * 1.5});
}

TEST(ProxQuant, PullsBinaryWeightsByTheWShapedProx) {
  const auto prox = make("proxquant", {{"reg-rate", "2"}});
  Weights weights = one_layer({0.3F, -0.95F, 0.0F, 1.75F, -0.5F}, "binary/none");
  prox->begin(weights);
  Progress at{.total_steps = 100, .epoch = 1, .learning_rate = 0.05};
  descend(
      *prox, weights, [](const torch::Tensor& w) { return torch::zeros_like(w); }, at);
  // By rate x learning rate x epoch = 0.1 toward the nearer of -1 and 1, then the clip.
  expect_near(vector_of(weights.value), {0.4, -1.0, 0.1, 1.0, -0.6});
}

TEST(ProxQuant, BlendsOtherWeightsWithTheirRounding) {
  const auto prox = make("proxquant", {{"reg-rate", "2"}});
  Weights weights = one_layer({0.3F, -0.75F, 2.0F}, "ternary/none");
  prox->begin(weights);
  Progress at{.total_steps = 100, .epoch = 5, .learning_rate = 0.05};
  descend(
      *prox, weights, [](const torch::Tensor& w) { return torch::zeros_like(w); }, at);
  expect_near(vector_of(weights.value), {0.3 / 1.5, -(0.75 + 0.5) / 1.5, (2.0 + 0.5) / 1.5});
}

// On its own it leaves e^-attraction of the gap: the product of 1 / (1 + r) over steps with r from
// 0 up by equal steps, which sums to the attraction.
TEST(ProxQuant, AttractsAsFarAsAskedInAll) {
  const auto prox = make("proxquant", {{"attraction", "3"}, {"freeze", "1"}});
  Weights weights = one_layer({0.375F}, "ternary/none");
  prox->begin(weights);
  constexpr std::int64_t kSteps = 1000;
  Progress at{.total_steps = kSteps, .learning_rate = 0.05};
  double gap = 0.375;
  for (std::int64_t k = 1; k < kSteps; ++k) {
    gap /= 1.0 + 2.0 * 3.0 * static_cast<double>(k) / (kSteps * kSteps);
    descend(
        *prox, weights, [](const torch::Tensor& w) { return torch::zeros_like(w); }, at);
  }
  EXPECT_NEAR(weights.value.item<float>(), gap, 2 * kSteps * kRounding * gap);
  EXPECT_NEAR(gap, 0.375 * std::exp(-3.0), 0.01 * gap);
}

TEST(ProxQuant, RoundsAndFreezesInTheLastPart) {
  const auto prox = make("proxquant", {{"freeze", "0.5"}});
  Weights weights = one_layer(random_values(20, 3), "ternary");
  prox->begin(weights);
  Progress at{.total_steps = 10, .learning_rate = 0.1};
  const auto slope = [](const torch::Tensor& w) { return torch::ones_like(w); };
  for (int k = 0; k < 4; ++k) descend(*prox, weights, slope, at);
  const torch::Tensor before = weights.value.clone();
  descend(*prox, weights, slope, at);
  const std::vector<float> frozen = vector_of(weights.value);
  EXPECT_NE(frozen, vector_of(before));
  prox->end_round(at);
  EXPECT_EQ(decoded(prox->deployed()[0]), frozen);
  descend(*prox, weights, slope, at);
  EXPECT_EQ(vector_of(weights.value), frozen);
  EXPECT_EQ(prox->end_round(at).flipped, 0.0);
}

// Where annealing is over from the start, both are straight-through rounding; for binary without a
// scale that is BinaryConnect without clipping.
TEST(Relaxations, AreStraightThroughInTheirLastPhase) {
  const auto target = tensor_of(random_values(30, 8));
  std::vector<std::vector<float>> ends;
  for (const auto& [name, given] :
       std::vector<std::pair<const char*, Given>>{{"bc", {{"clip", "false"}}},
                                                  {"binaryrelax", {{"anneal", "0"}}},
                                                  {"parq", {{"anneal", "0"}}}}) {
    const auto method = make(name, given);
    Weights weights = one_layer(random_values(30, 7), "binary/none");
    method->begin(weights);
    Progress at{.total_steps = 50, .learning_rate = 0.1};
    for (int k = 0; k < 50; ++k) {
      descend(
          *method, weights, [&](const torch::Tensor& w) { return w - target; }, at);
      if (k % 10 == 9) method->end_round(at);
    }
    ends.push_back(vector_of(weights.value));
  }
  EXPECT_EQ(ends[1], ends[0]);
  EXPECT_EQ(ends[2], ends[0]);
}

// What the network sees at the end is what is deployed.
TEST(Relaxations, EndAtTheirLowBitPoint) {
  for (const char* name : {"binaryrelax", "parq", "proxquant"}) {
    SCOPED_TRACE(name);
    const auto method = make(name);
    Weights weights = one_layer(random_values(64, 7), "shift:2/channel", 4);
    method->begin(weights);
    Progress at{.total_steps = 20, .learning_rate = 0.05};
    for (int k = 0; k < 20; ++k) {
      descend(
          *method, weights, [](const torch::Tensor& w) { return w; }, at);
    }
    method->end_round(at);
    EXPECT_EQ(vector_of(method->seen(at)), decoded(method->deployed()[0]));
  }
}

TEST(Relaxations, RefuseBadOptions) {
  EXPECT_THROW(make("binaryrelax", {{"anneal", "1.5"}}), InputError);
  EXPECT_THROW(make("binaryrelax", {{"lambda", "-1"}}), InputError);
  EXPECT_THROW(make("parq", {{"steepness", "0.5"}}), InputError);
  EXPECT_THROW(make("parq", {{"anneal", "x"}}), InputError);
  EXPECT_THROW(make("proxquant", {{"attraction", "-1"}}), InputError);
  EXPECT_THROW(make("proxquant", {{"freeze", "2"}}), InputError);
  EXPECT_THROW(make("proxquant", {{"reg-rate", "fast"}}), InputError);
}

}  // namespace
}  // namespace lastbit
