#include "lastbit/method/splitting.h"

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/method/admm.h"
#include "lastbit/method/lc.h"
#include "lastbit/method/registry.h"
#include "support.h"

// What LC adds to ADMM: the learning rate's clip, the new optimizer; and what both may be told.

namespace lastbit {
namespace {

TEST(Lc, ClipsTheLearningRateToOneOverMu) {
  for (const bool augmented : {false, true}) {
    Weights weights = one_layer({0.5F, -2.0F}, "binary");
    const auto method = make_lc({.augmented = augmented, .mu = Schedule::parse("5*2", "mu")});
    method->begin(weights);
    Progress at{.total_steps = 3, .total_rounds = 3, .learning_rate = 0.15};
    for (const double most : {1.0 / 5.0, 1.0 / 10.0, 1.0 / 20.0}) {
      EXPECT_EQ(method->learning_rate(at, 0.15), std::min(0.15, most)) << "round " << at.round;
      EXPECT_EQ(method->learning_rate(at, 1e-4), 1e-4);
      method->end_round(at);
      ++at.round;
    }
  }
}

TEST(Lc, ClipsByTheMuThatFollowsFromThePull) {
  Weights weights = one_layer({0.5F, -2.0F}, "binary");
  const auto method = make_lc({.pull = 8.0});
  method->begin(weights);
  // mu = 8 / (0.5 * 4).
  const Progress at{.total_steps = 4,
                    .total_rounds = 1,
                    .round_steps = 4,
                    .learning_rate = 0.5,
                    .step_size = 0.5};
  EXPECT_EQ(method->learning_rate(at, 0.5), 0.25);
}

TEST(Admm, LeavesTheLearningRateAsScheduled) {
  Weights weights = one_layer({0.5F, -2.0F}, "binary");
  const auto method = make_admm({.rho = 100.0});
  method->begin(weights);
  EXPECT_EQ(method->learning_rate({.total_steps = 1, .total_rounds = 1}, 0.15), 0.15);
}

TEST(Methods, OfLongRoundsStartEachWithANewOptimizer) {
  for (const MethodInfo& info : methods()) {
    const bool restarts = info.name == "lc" || info.name == "lc-qp" || info.name == "idc";
    EXPECT_EQ(make_method(info)->restarts_optimizer(), restarts) << info.name;
  }
}

TEST(LcQp, HasNoMultipliers) {
  Weights weights = one_layer(random_values(20, 1), "ternary");
  const auto method = make_lc({.augmented = false, .mu = 0.5});
  method->begin(weights);
  weights.value.copy_(tensor_of(random_values(20, 2)));
  const Residuals residuals = method->end_round({.total_steps = 1, .total_rounds = 1});
  EXPECT_EQ(residuals.layers.at(0).multiplier, 0.0);
  EXPECT_EQ(vector_of(method->state().at("u")), std::vector<float>(20, 0.0F));
  const Quantized expected = parse_projector("ternary")->project(random_values(20, 2), {1, 1, 20});
  EXPECT_EQ(method->deployed().at(0).codes, expected.codes);
}

TEST(Lc, TellsTheNormOfItsMultipliers) {
  Weights weights = one_layer({0.5F, -0.5F, 2.0F}, "binary/none");
  const auto method = make_lc({.mu = 0.25});
  method->begin(weights);
  const Residuals residuals = method->end_round({.total_steps = 1, .total_rounds = 1});
  // u = w - z = (-0.5, 0.5, 1), lambda = -mu u.
  // The norm is taken in float32.
  EXPECT_NEAR(residuals.layers.at(0).multiplier, 0.25 * std::sqrt(1.5), kRounding);
}

double penalty_after(Method& method, const Progress& at) {
  method.end_round(at);
  return method.state().at("penalty").item<double>();
}

// The weights stay off their set and the low-bit point stays: the primal residual alone is there.
TEST(Balance, DoublesThePenaltyWhereWeightsAreFarFromTheirSet) {
  Weights weights = one_layer({0.5F, -1.5F}, "binary/none");
  const auto method = make_admm({.rho = 0.25, .balance = true});
  method->begin(weights);
  Progress at{.total_steps = 4, .total_rounds = 4};
  double rho = 0.25;
  for (; at.round < 4; ++at.round) {
    const std::vector<float> u = vector_of(method->state().at("u"));
    const double before = rho;
    rho *= 2.0;
    EXPECT_EQ(penalty_after(*method, at), rho);
    // The multiplier grew by rho (w - z), and u was rescaled to keep it.
    const std::vector<float> after = vector_of(method->state().at("u"));
    EXPECT_FLOAT_EQ(after[0], static_cast<float>(before / rho * (u[0] - 0.5)));
    EXPECT_FLOAT_EQ(after[1], static_cast<float>(before / rho * (u[1] - 0.5)));
  }
}

// The weights are on their set and jump from point to point: the dual residual alone is there.
TEST(Balance, HalvesThePenaltyWhereTheLowBitPointMoves) {
  Weights weights = one_layer({1.0F, -1.0F}, "binary/none");
  const auto method = make_admm({.rho = 0.25, .balance = true});
  method->begin(weights);
  Progress at{.total_steps = 3, .total_rounds = 3};
  double rho = 0.25;
  for (; at.round < 3; ++at.round) {
    weights.value.neg_();
    rho *= 0.5;
    EXPECT_EQ(penalty_after(*method, at), rho);
  }
}

TEST(Balance, KeepsThePenaltyWhereResidualsAreWithinAFactorOfTen) {
  Weights weights = one_layer({1.0F, -1.0F, 1.0F, 1.0F}, "binary/none");
  const auto method = make_admm({.rho = 0.25, .balance = true});
  method->begin(weights);
  EXPECT_EQ(penalty_after(*method, {.total_steps = 2, .total_rounds = 2}), 0.25) << "both are 0";
  // One sign flips, a gap of 2 to the point before; the weight is 0.5 off its new point.
  weights.value.copy_(tensor_of({1.0F, -1.0F, 1.0F, -0.5F}));
  const Progress next{.total_steps = 2, .round = 1, .total_rounds = 2};
  EXPECT_EQ(penalty_after(*method, next), 0.25);
}

TEST(Balance, TakesTheFirstValueOfASchedule) {
  Weights weights = one_layer({1.0F, -1.0F}, "binary/none");
  const auto method = make_admm({.rho = Schedule::geometric(0.5, 64.0), .balance = true});
  method->begin(weights);
  Progress at{.total_steps = 3, .total_rounds = 3};
  for (; at.round < 3; ++at.round) EXPECT_EQ(method->end_round(at).penalty, 0.5);
}

TEST(Splitting, NamesTheMethodThatNeedsAStepSize) {
  Weights weights = one_layer({0.5F}, "binary/none");
  const auto method = make_lc({});
  method->begin(weights);
  try {
    method->learning_rate({.total_steps = 1, .total_rounds = 1}, 0.1);
    FAIL() << "expected InputError";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "[lc] the step size is 0, expected a positive number to derive the penalty from, "
                 "or the penalty itself");
  }
}

}  // namespace
}  // namespace lastbit
