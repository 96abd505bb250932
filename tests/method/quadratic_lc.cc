#include <cmath>
#include <memory>

#include "lastbit/method/lc.h"
#include "quadratic.h"

// LC with an exact L step on the loss of quadratic.h.

namespace lastbit {
namespace {

constexpr double kFirstMu = 0.5;
constexpr double kGrowth = 1.5;

double mu_of(int round) { return kFirstMu * std::pow(kGrowth, round); }

std::unique_ptr<Method> lc(bool augmented) {
  return make_lc({.augmented = augmented, .mu = Schedule::parse("0.5*1.5", "mu")});
}

// Rounds of L steps, from the reference's direct compression on.
void run(Method& method, Weights& weights, int rounds) {
  method.begin(weights);
  Progress at{.total_steps = rounds, .total_rounds = rounds, .learning_rate = 1.0};
  for (int round = 0; round < rounds; ++round) {
    solve_round(method, mu_of(round), weights);
    EXPECT_DOUBLE_EQ(method.end_round(at).penalty, mu_of(round));
    ++at.round;
  }
}

double gap(const Method& method, const Weights& weights) {
  const std::vector<float> w = vector_of(weights.value);
  const std::vector<float> z = decoded(method.deployed().at(0));
  double square = 0.0;
  for (std::size_t i = 0; i < 4; ++i) square += std::pow(static_cast<double>(w[i]) - z[i], 2);
  return std::sqrt(square);
}

// lambda = -mu u, of the round to come.
Vector multipliers(const Method& method) {
  const auto state = method.state();
  const std::vector<float> u = vector_of(state.at("u"));
  const double mu = state.at("penalty").item<double>();
  Vector result{};
  for (std::size_t i = 0; i < 4; ++i) result[i] = -mu * u[i];
  return result;
}

// A round rounds w, z and u, all below 1, to float32, and its map of them is of norm at most 1; the
// figures have 8 decimals.
double tolerance(int rounds) { return rounds * 3.0 * kRounding + 1e-8; }

TEST(QuadraticLc, BothFormsTakeTheSameFirstStep) {
  for (const bool augmented : {false, true}) {
    SCOPED_TRACE(augmented);
    Weights weights = reference_weights();
    const auto method = lc(augmented);
    run(*method, weights, 1);
    expect_near(
        vector_of(weights.value), {.60489052, -.72708187, -.09322046, .96409817}, tolerance(1));
    EXPECT_NEAR(method->deployed().at(0).scales.at(0), .76535685, tolerance(1));
  }
}

TEST(QuadraticLc, ThePenaltyAloneLeavesAGap) {
  Weights weights = reference_weights();
  const auto method = lc(false);
  run(*method, weights, 8);
  const Quantized& deployed = method->deployed().at(0);
  EXPECT_EQ(deployed.codes, (std::vector<Code>{2, 0, 1, 2}));
  EXPECT_NEAR(deployed.scales.at(0), .73141159, tolerance(8));
  EXPECT_NEAR(loss(decoded(deployed)), -.84595086, 2.0 * tolerance(8));
  EXPECT_NEAR(gap(*method, weights), .04256647, 2.0 * tolerance(8));
  EXPECT_EQ(multipliers(*method), Vector{});
}

TEST(QuadraticLc, MultipliersCloseTheGap) {
  Weights weights = reference_weights();
  const auto method = lc(true);
  run(*method, weights, 8);
  const Quantized& deployed = method->deployed().at(0);
  EXPECT_EQ(deployed.codes, (std::vector<Code>{2, 0, 1, 2}));
  EXPECT_NEAR(deployed.scales.at(0), .71453210, tolerance(8));
  EXPECT_NEAR(loss(decoded(deployed)), -.84693163, 2.0 * tolerance(8));
  EXPECT_LT(gap(*method, weights), .04256647 / 2.0);
  // Each round adds mu times the rounding of w, z and u.
  double sum = 0.0;
  for (int round = 0; round < 8; ++round) sum += mu_of(round) * 3.0 * kRounding;
  const Vector lambda = multipliers(*method);
  const Vector expected = {.27637292, .00964470, .12167180, -.26672822};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(lambda[i], expected[i], sum + 1e-8) << i;
}

TEST(QuadraticLc, WithAConstantMuItIsAdmm) {
  Weights weights = reference_weights();
  const auto method = make_lc({.mu = 1.0});
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
    // As in AdmmWithAnExactProximalStepFollowsItsKnownPath.
    const double near = std::pow(2.0, round) * 3.0 * kRounding + 1e-8;
    expect_near(vector_of(weights.value), row.w, near);
    const Vector lambda = multipliers(*method);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(lambda[i], -row.u[i], near) << i;
    EXPECT_NEAR(method->deployed().at(0).scales.at(0), row.scale, near);
    EXPECT_NEAR(loss(decoded(method->deployed().at(0))), row.loss, 2.0 * near);
  }
  EXPECT_EQ(next, kRows.size());
}

}  // namespace
}  // namespace lastbit
