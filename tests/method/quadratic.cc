#include <array>
#include <cmath>
#include <cstddef>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/method/admm.h"
#include "lastbit/method/direct.h"
#include "support.h"

// A quadratic loss f(w) = 1/2 w'Hw - b'w in four weights, ternary with one scale. The proximal step
// is solved exactly, so every iterate is known; the figures were computed in double precision by
// another program.

namespace lastbit {
namespace {

using Vector = std::array<double, 4>;

constexpr std::array<Vector, 4> kCurvature = {
    {{2.0, 0.3, 0.0, 0.1}, {0.3, 1.0, -0.2, 0.0}, {0.0, -0.2, 1.5, 0.25}, {0.1, 0.0, 0.25, 0.8}}};
constexpr Vector kSlope = {1.0, -0.5, 0.2, 0.9};
constexpr Vector kReference = {.5489324162, -.6931963138, -.1425829449, 1.1009406183};

double loss(const std::vector<float>& w) {
  double sum = 0.0;
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) sum += 0.5 * w[i] * kCurvature[i][j] * w[j];
    sum -= kSlope[i] * w[i];
  }
  return sum;
}

torch::Tensor slope_at(const torch::Tensor& w) {
  const std::vector<float> at = vector_of(w);
  std::vector<float> result;
  for (std::size_t i = 0; i < 4; ++i) {
    double sum = -kSlope[i];
    for (std::size_t j = 0; j < 4; ++j) sum += kCurvature[i][j] * at[j];
    result.push_back(static_cast<float>(sum));
  }
  return tensor_of(result);
}

// The minimum of f(w) + rho/2 ||w - target||^2: (H + rho I) w = b + rho target, by elimination. The
// matrix is positive definite, so no pivot is zero.
Vector proximal(double rho, const Vector& target) {
  auto matrix = kCurvature;
  Vector right{};
  for (std::size_t i = 0; i < 4; ++i) {
    matrix[i][i] += rho;
    right[i] = kSlope[i] + rho * target[i];
  }
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t row = i + 1; row < 4; ++row) {
      const double factor = matrix[row][i] / matrix[i][i];
      for (std::size_t j = i; j < 4; ++j) matrix[row][j] -= factor * matrix[i][j];
      right[row] -= factor * right[i];
    }
  }
  for (std::size_t i = 4; i-- > 0;) {
    for (std::size_t j = i + 1; j < 4; ++j) right[i] -= matrix[i][j] * right[j];
    right[i] /= matrix[i][i];
  }
  return right;
}

Weights reference_weights() {
  return one_layer(std::vector<float>(kReference.begin(), kReference.end()), "ternary");
}

void expect_near(const std::vector<float>& values, const Vector& expected, double tolerance) {
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(values[i], expected[i], tolerance) << i;
}

struct Row {
  int round;
  Vector w;
  double scale;
  Vector u;
  double loss;
};

constexpr std::array<Row, 4> kRows = {{{1,
                                        {.63771965, -.74319742, -.07027918, .90823386},
                                        .76305031,
                                        {-.12533066, .01985289, -.07027918, .14518355},
                                        -.84150293},
                                       {2,
                                        {.67708204, -.74627466, -.03260755, .81017247},
                                        .74450972,
                                        {-.19275834, .01808795, -.10288673, .21084629},
                                        -.84452230},
                                       {3,
                                        {.69410754, -.73679215, -.01377177, .75983090},
                                        .73024353,
                                        {-.22889433, .01153933, -.11665850, .24043366},
                                        -.84604993},
                                       {6,
                                        {.70520509, -.71351884, .00055626, .71337182},
                                        .71069858,
                                        {-.26398594, -.00163720, -.12188111, .26234874},
                                        -.84701939}}};

TEST(Quadratic, AdmmWithAnExactProximalStepFollowsItsKnownPath) {
  Weights weights = reference_weights();
  const auto method = make_admm({.rho = 1.0, .extragradient = false});
  method->begin(weights);
  Progress at{.total_steps = 6, .total_rounds = 6, .learning_rate = 1.0};
  std::size_t next = 0;
  for (int round = 1; round <= 6; ++round) {
    const auto state = method->state();
    Vector target{};
    for (std::size_t i = 0; i < 4; ++i) {
      target[i] = static_cast<double>(vector_of(state.at("z"))[i]) - vector_of(state.at("u"))[i];
    }
    const Vector solved = proximal(1.0, target);
    weights.value.copy_(tensor_of(std::vector<float>(solved.begin(), solved.end())));
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
