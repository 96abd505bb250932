#include "lastbit/method/admm.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "support.h"

namespace lastbit {
namespace {

// The loss 1/2 ||w - target||^2. A gradient step of rate 1 / (1 + rho) is its exact proximal step.
struct Distance {
  torch::Tensor target;
  torch::Tensor operator()(const torch::Tensor& w) const { return w - target; }
};

std::unique_ptr<Method> admm(double rho) { return make_admm({.rho = rho, .extragradient = false}); }

void run_rounds(Method& method, Weights& weights, const Distance& loss, int rounds, double rho) {
  Progress at{.total_steps = rounds, .total_rounds = rounds, .learning_rate = 1.0 / (1.0 + rho)};
  for (int round = 0; round < rounds; ++round) {
    descend(method, weights, loss, at);
    method.end_round(at);
    ++at.round;
  }
}

// Without a scale the answer is the level nearest to each target t. At a fixed point w = z and
// u = (t - z) / rho, so a level z stays if z + (t - z) / rho lies in its cell. Levels -1 and +1:
// the right ones stay from rho = 0.8 on, the distance of 0.2 to 1; from 1.2 on the wrong one of 0.2
// stays too. Levels -1, 0 and +1, whose cells end at 0.5: the right ones stay from 0.3 / 0.5 = 0.6
// on, the wrong ones of 0.3 and 0.7 from 0.7 / 0.5 = 1.4 on. So rho = 1 solves both.
TEST(Admm, SolvesASeparableProblemWithoutScale) {
  const std::vector<float> targets = {0.2F, -0.2F, 0.7F, -0.3F, 1.9F, -1.1F, 0.3F, -0.75F};
  for (const std::string set : {"binary/none", "ternary/none"}) {
    SCOPED_TRACE(set);
    const std::vector<float> answer = decoded(parse_projector(set)->project(targets, {1, 1, 8}));
    // From the wrong side: the start's codes are all opposite.
    std::vector<float> start = targets;
    for (float& value : start) value = -value;
    Weights weights = one_layer(start, set);
    const auto method = admm(1.0);
    method->begin(weights);
    ASSERT_NE(decoded(method->deployed().at(0)), answer);
    run_rounds(*method, weights, {tensor_of(targets)}, 100, 1.0);
    EXPECT_EQ(decoded(method->deployed().at(0)), answer);
    // The error halves each round, so what is left after 100 is the rounding of w.
    EXPECT_LE((weights.value - tensor_of(answer)).abs().max().item<double>(), 4.0 * kRounding);
  }
}

TEST(Admm, CyclesWhereRhoIsBelowTheLargestDistanceToACode) {
  const std::vector<float> targets = {0.2F};
  Weights weights = one_layer({0.2F}, "binary/none");
  const auto method = admm(0.5);
  method->begin(weights);
  run_rounds(*method, weights, {tensor_of(targets)}, 100, 0.5);
  int flips = 0;
  Progress at{.total_steps = 100, .total_rounds = 100, .learning_rate = 1.0 / 1.5};
  for (int round = 0; round < 100; ++round) {
    descend(*method, weights, Distance{tensor_of(targets)}, at);
    flips += method->end_round(at).flipped > 0.0 ? 1 : 0;
  }
  EXPECT_GT(flips, 0) << "below the distance 0.8 no code is a fixed point";
}

// From the target itself, w + u moves on the segment from the target to its projection, where the
// projection stays the same.
TEST(Admm, FindsTheProjectionOfTheTargetForEverySet) {
  for (const std::string set : {"binary",
                                "ternary",
                                "ternary/channel",
                                "shift:1",
                                "shift:2/channel",
                                "shift:3/none",
                                "binary/channel"}) {
    SCOPED_TRACE(set);
    const std::vector<float> targets = random_values(60, 3);
    const Quantized answer = parse_projector(set)->project(targets, {1, 4, 15});
    Weights weights = one_layer(targets, set, 4);
    const auto method = admm(1.0);
    method->begin(weights);
    run_rounds(*method, weights, {tensor_of(targets)}, 50, 1.0);
    const Quantized& deployed = method->deployed().at(0);
    EXPECT_EQ(deployed.codes, answer.codes);
    // A scale is a mean of values below 4 that are rounded three times a round; older roundings
    // fade by halves, so twice one round's bounds their sum.
    for (std::size_t i = 0; i < answer.scales.size(); ++i) {
      EXPECT_NEAR(deployed.scales[i], answer.scales[i], 2.0 * 3.0 * 4.0 * kRounding);
    }
  }
}

TEST(Admm, DeploysTheProjectionOfWeightsPlusDual) {
  Weights weights = one_layer(random_values(24, 1), "ternary/channel", 3);
  const auto method = admm(0.3);
  method->begin(weights);
  Progress at{.total_steps = 9, .total_rounds = 9, .learning_rate = 0.1};
  for (int round = 0; round < 9; ++round) {
    const torch::Tensor u = method->state().at("u");
    weights.value.copy_(tensor_of(random_values(24, 10 + static_cast<std::uint64_t>(round))));
    const Quantized expected = project(weights.layers, weights.value + u).at(0);
    method->end_round(at);
    ++at.round;
    EXPECT_EQ(method->deployed().at(0).codes, expected.codes);
    EXPECT_EQ(method->deployed().at(0).scales, expected.scales);
    EXPECT_EQ(vector_of(method->state().at("z")), decoded(expected));
  }
}

TEST(Admm, StartsAtTheProjectionWithoutDual) {
  Weights weights = one_layer({0.9F, -0.4F, 0.1F}, "binary/none");
  const auto method = admm(0.5);
  method->begin(weights);
  EXPECT_EQ(decoded(method->deployed().at(0)), (std::vector<float>{1, -1, 1}));
  EXPECT_EQ(vector_of(method->state().at("u")), std::vector<float>(3, 0.0F));
  EXPECT_EQ(vector_of(weights.value), (std::vector<float>{0.9F, -0.4F, 0.1F}));
}

TEST(Admm, PullsTheGradientTowardTheTarget) {
  Weights weights = one_layer({0.75F, -0.5F}, "binary/none");
  const auto method = admm(0.5);
  method->begin(weights);
  weights.gradient.copy_(tensor_of({2.0F, 4.0F}));
  method->after_backward({.total_steps = 1, .total_rounds = 1, .learning_rate = 1.0}, 0);
  // g + rho (w - z + u) with z = (1, -1), u = 0.
  EXPECT_EQ(vector_of(weights.gradient), (std::vector<float>{1.875F, 4.25F}));
  EXPECT_EQ(vector_of(weights.value), (std::vector<float>{0.75F, -0.5F}));
}

TEST(Admm, TakesOnePassWithoutExtragradientAndTwoWithIt) {
  EXPECT_EQ(make_admm({.extragradient = false})->passes(), 1);
  EXPECT_EQ(make_admm({.extragradient = true})->passes(), 2);
}

TEST(Admm, KeepsTheMultiplierWhereRhoChanges) {
  for (const std::string text : {"0.01*2", "0.5*0.5", "0.001..0.1"}) {
    SCOPED_TRACE(text);
    const Schedule rho = Schedule::parse(text, "rho");
    Weights weights = one_layer(random_values(16, 5), "ternary");
    const auto method = make_admm({.rho = rho, .extragradient = false});
    method->begin(weights);
    Progress at{.total_steps = 5, .total_rounds = 5, .learning_rate = 0.1};
    const auto rho_at = [&](std::int64_t round) {
      return rho.at({.round = round, .total_rounds = 5}, Over::kRounds);
    };
    for (int round = 0; round < 5; ++round) {
      const torch::Tensor before = method->state().at("u").to(torch::kFloat64);
      weights.value.copy_(tensor_of(random_values(16, 20 + static_cast<std::uint64_t>(round))));
      EXPECT_EQ(method->end_round(at).penalty, rho_at(round));
      const torch::Tensor z = method->state().at("z").to(torch::kFloat64);
      const torch::Tensor multiplier =
          rho_at(round) * (before + weights.value.to(torch::kFloat64) - z);
      ++at.round;
      const torch::Tensor u = method->state().at("u").to(torch::kFloat64);
      // u is rounded after the sum, the difference and the product; its terms are below 8.
      EXPECT_LE((rho_at(at.round) * u - multiplier).abs().max().item<double>(),
                3.0 * 8.0 * rho_at(round) * kRounding);
    }
  }
}

TEST(Admm, StaysFiniteWhereRhoFallsToZero) {
  Weights weights = one_layer(random_values(16, 6), "ternary");
  const auto method =
      make_admm({.rho = Schedule::parse("cosine:0.1", "rho"), .extragradient = false});
  method->begin(weights);
  Progress at{.total_steps = 4, .total_rounds = 4, .learning_rate = 0.1};
  const Distance loss{tensor_of(random_values(16, 6))};
  for (int round = 0; round < 4; ++round) {
    descend(*method, weights, loss, at);
    method->end_round(at);
    ++at.round;
  }
  descend(*method, weights, loss, at);
  EXPECT_TRUE(torch::isfinite(weights.value).all().item<bool>());
  EXPECT_TRUE(torch::isfinite(method->state().at("u")).all().item<bool>());
}

TEST(Admm, TellsItsResiduals) {
  // z = (1, -1, 1) before; u = 0, so the new point is the signs of w: (1, 1, 1).
  Weights weights = one_layer({0.5F, -0.5F, 2.0F}, "binary/none");
  const auto method = admm(0.25);
  method->begin(weights);
  weights.value.copy_(tensor_of({0.5F, 0.5F, 2.0F}));
  const Residuals residuals = method->end_round({.total_steps = 1, .total_rounds = 1});
  const double norm = std::sqrt(0.25 + 0.25 + 4.0);
  EXPECT_DOUBLE_EQ(residuals.primal, std::sqrt(0.25 + 0.25 + 1.0) / norm);
  EXPECT_DOUBLE_EQ(residuals.dual, 2.0 / norm);
  EXPECT_DOUBLE_EQ(residuals.flipped, 1.0 / 3.0);
  EXPECT_EQ(residuals.penalty, 0.25);
}

TEST(Admm, TellsFiniteResidualsForWeightsThatAreAllZero) {
  Weights weights = one_layer({0.0F, 0.0F}, "ternary");
  const auto method = admm(0.25);
  method->begin(weights);
  const Residuals residuals = method->end_round({.total_steps = 1, .total_rounds = 1});
  EXPECT_EQ(residuals.primal, 0.0);
  EXPECT_EQ(residuals.dual, 0.0);
}

// Without a loss, each of T steps of size s closes the share rho s = pull / T of the gap.
TEST(Admm, DerivesRhoFromThePullOfARound) {
  constexpr int kSteps = 50;
  for (const double pull : {0.3, 1.0, 4.0}) {
    SCOPED_TRACE(pull);
    Weights weights = one_layer({0.25F, -1.75F}, "binary/none");
    const auto method = make_admm({.pull = pull});
    method->begin(weights);
    Progress at{
        .total_steps = kSteps, .total_rounds = 1, .round_steps = kSteps, .learning_rate = 0.02};
    const auto no_loss = [](const torch::Tensor& w) { return torch::zeros_like(w); };
    for (int step = 0; step < kSteps; ++step) descend(*method, weights, no_loss, at);
    const double left = 0.75 * std::pow(1.0 - pull / kSteps, kSteps);
    // A step rounds the gap, the pull, the product and the weight, all below 2.
    const double tolerance = kSteps * 4.0 * kRounding;
    EXPECT_NEAR(vector_of(weights.value)[0], 1.0 - left, tolerance);
    EXPECT_NEAR(vector_of(weights.value)[1], -1.0 - left, tolerance);
    EXPECT_DOUBLE_EQ(method->end_round(at).penalty, pull / (0.02 * kSteps));
  }
}

TEST(Admm, PrefersRhoToThePull) {
  Weights weights = one_layer({0.5F}, "binary/none");
  const auto method = make_admm({.rho = 0.125, .pull = 3.0});
  method->begin(weights);
  EXPECT_EQ(method->end_round({.total_steps = 1, .total_rounds = 1, .step_size = 0.1}).penalty,
            0.125);
}

TEST(Admm, NeedsAStepSizeToDeriveRhoFrom) {
  Weights weights = one_layer({0.5F}, "binary/none");
  const auto method = make_admm({});
  method->begin(weights);
  try {
    method->after_backward({.total_steps = 1, .total_rounds = 1, .learning_rate = 0.1}, 0);
    FAIL() << "expected InputError";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "[admm] the step size is 0, expected a positive number to derive the penalty "
                 "from, or the penalty itself");
  }
}

TEST(Admm, NamesAPredictionRateThatIsNoRate) {
  for (const double rate : {0.0, -1.0, std::numeric_limits<double>::infinity(), std::nan("")}) {
    EXPECT_THROW(make_admm({.prediction = rate}), InputError) << rate;
  }
  try {
    make_admm({.prediction = -0.5});
    FAIL() << "expected InputError";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(), "[admm] prediction rate is -0.5, expected a positive number");
  }
}

}  // namespace
}  // namespace lastbit
