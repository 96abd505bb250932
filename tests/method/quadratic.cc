#include "quadratic.h"

#include <cmath>
#include <memory>

#include "lastbit/method/admm.h"
#include "lastbit/method/direct.h"

namespace lastbit {
namespace {

TEST(Quadratic, AdmmWithAnExactProximalStepFollowsItsKnownPath) {
  Weights weights = reference_weights();
  const auto method = make_admm({.rho = 1.0, .extragradient = false});
  method->begin(weights);
  Progress at{.total_steps = 6, .total_rounds = 6, .learning_rate = 1.0};
  std::size_t next = 0;
  for (int round = 1; round <= 6; ++round) {
    solve_round(*method, 1.0, weights);
    method->end_round(at);
    ++at.round;

    if (next == kRows.size() || kRows[next].round != round) continue;
    const Row& row = kRows[next++];
    SCOPED_TRACE(testing::Message() << "round " << round);
    // A round rounds w, z and u to float32, and with the codes fixed it is a linear map of norm at
    // most 2 on (w, u); the table itself has 8 decimals.
    const double tolerance = std::pow(2.0, round) * 3.0 * kRounding + 1e-8;
    expect_near(vector_of(weights.value), row.w, tolerance);
    expect_near(vector_of(method->state().at("u")), row.u, tolerance);
    const Quantized& deployed = method->deployed().at(0);
    EXPECT_NEAR(deployed.scales.at(0), row.scale, tolerance);
    EXPECT_EQ(deployed.codes, (std::vector<Code>{2, 0, 1, 2}));
    // The slope of f along the scale is below 2 near these points.
    EXPECT_NEAR(loss(decoded(deployed)), row.loss, 2.0 * tolerance);
  }
  EXPECT_EQ(next, kRows.size());
}

TEST(Quadratic, DirectCompressionProjectsTheReference) {
  const auto method = make_direct_compression();
  method->begin(reference_weights());
  const Quantized& deployed = method->deployed().at(0);
  EXPECT_NEAR(deployed.scales.at(0), .7810231161, 2.0 * kRounding);
  EXPECT_EQ(deployed.codes, (std::vector<Code>{2, 0, 1, 2}));
  EXPECT_NEAR(loss(decoded(deployed)), -.8374603952, 4.0 * kRounding);
}

TEST(Quadratic, ExtragradientPredictsAndCorrects) {
  Weights weights = reference_weights();
  const auto method = make_admm({.rho = 1.0, .extragradient = true, .prediction = 1.0});
  method->begin(weights);
  ASSERT_EQ(method->passes(), 2);
  const Progress at{.total_steps = 1, .total_rounds = 1, .learning_rate = 0.1};
  // Four roundings of values below 2: the gradient, the pull, the step and the point itself.
  constexpr double kTolerance = 4.0 * kRounding;

  method->before_forward(at, 0);
  weights.gradient.copy_(slope_at(weights.value));
  method->after_backward(at, 0);
  expect_near(vector_of(weights.value),
              {.5721414862, -.7019789941, -.1283246504, 1.0689488680},
              kTolerance);

  method->before_forward(at, 1);
  weights.gradient.copy_(slope_at(weights.value));
  method->after_backward(at, 1);
  expect_near(vector_of(weights.value), kReference, kRounding);
  weights.value.sub_(weights.gradient, at.learning_rate);
  expect_near(vector_of(weights.value),
              {.5657621631, -.7006335642, -.1312650839, 1.0741188350},
              kTolerance);
}

TEST(Quadratic, ThePredictionsRateIsAMultipleOfTheLearningRate) {
  Weights weights = reference_weights();
  const torch::Tensor start = weights.value.clone();
  const auto method = make_admm({.rho = 1.0, .extragradient = true, .prediction = 0.5});
  method->begin(weights);
  weights.gradient.copy_(slope_at(weights.value));
  method->after_backward({.total_steps = 1, .total_rounds = 1, .learning_rate = 0.2}, 0);
  const torch::Tensor predicted = start - 0.1 * weights.gradient;
  EXPECT_LE((weights.value - predicted).abs().max().item<double>(), 2.0 * kRounding);
}

// With steps of gradient descent in place of the exact step, rounds end near the same point: the
// best scale for these codes, 12/17, with u the loss's negative gradient there.
TEST(Quadratic, AdmmByGradientDescentReachesTheBestScale) {
  for (const bool extragradient : {false, true}) {
    SCOPED_TRACE(extragradient);
    Weights weights = reference_weights();
    const auto method = make_admm({.rho = 1.0, .extragradient = extragradient});
    method->begin(weights);
    Progress at{.total_steps = 2400, .total_rounds = 60, .learning_rate = 0.2};
    for (int round = 0; round < 60; ++round) {
      for (int step = 0; step < 40; ++step) descend(*method, weights, slope_at, at);
      method->end_round(at);
      ++at.round;
    }
    EXPECT_NEAR(method->deployed().at(0).scales.at(0), 12.0 / 17.0, 1e-5);
    EXPECT_NEAR(loss(decoded(method->deployed().at(0))), -.8470588235, 1e-6);
  }
}

}  // namespace
}  // namespace lastbit
