#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/method/admm.h"
#include "lastbit/method/lc.h"
#include "lastbit/method/registry.h"
#include "support.h"

// Methods that are one algorithm under two names, or one another's limit.

namespace lastbit {
namespace {

constexpr std::size_t kSize = 6;
using Vector = std::array<double, kSize>;
using Matrix = std::array<Vector, kSize>;

// f(w) = 1/2 w'Hw - b'w, H positive definite.
struct Problem {
  Matrix curvature{};
  Vector slope{};
};

Problem random_problem(std::uint64_t seed) {
  Random random(seed);
  Matrix root{};
  Problem result;
  for (Vector& row : root) {
    for (double& x : row) x = random.normal();
  }
  for (std::size_t i = 0; i < kSize; ++i) {
    result.slope[i] = random.normal();
    result.curvature[i][i] = 0.5;
    for (std::size_t j = 0; j < kSize; ++j) {
      for (std::size_t k = 0; k < kSize; ++k) {
        result.curvature[i][j] += root[i][k] * root[j][k] / static_cast<double>(kSize);
      }
    }
  }
  return result;
}

// The minimum of f(w) + mu/2 ||w||^2 - pull'w.
Vector minimum(const Problem& problem, double mu, const Vector& pull) {
  Matrix matrix = problem.curvature;
  Vector w{};
  for (std::size_t i = 0; i < kSize; ++i) {
    matrix[i][i] += mu;
    w[i] = problem.slope[i] + pull[i];
  }
  for (std::size_t i = 0; i < kSize; ++i) {
    for (std::size_t row = i + 1; row < kSize; ++row) {
      const double factor = matrix[row][i] / matrix[i][i];
      for (std::size_t j = i; j < kSize; ++j) matrix[row][j] -= factor * matrix[i][j];
      w[row] -= factor * w[i];
    }
  }
  for (std::size_t i = kSize; i-- > 0;) {
    for (std::size_t j = i + 1; j < kSize; ++j) w[i] -= matrix[i][j] * w[j];
    w[i] /= matrix[i][i];
  }
  return w;
}

// The nearest a * {-1, 0, 1}^n: of the k largest magnitudes, the k with the largest (sum)^2 / k.
Vector nearest_ternary(const Vector& w) {
  std::array<std::size_t, kSize> order{};
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) {
    return std::abs(w[i]) > std::abs(w[j]);
  });
  double sum = 0.0;
  double best = -1.0;
  std::size_t kept = 0;
  double scale = 0.0;
  for (std::size_t k = 1; k <= kSize; ++k) {
    sum += std::abs(w[order[k - 1]]);
    if (sum * sum / static_cast<double>(k) <= best) continue;
    best = sum * sum / static_cast<double>(k);
    scale = sum / static_cast<double>(k);
    kept = k;
  }
  Vector z{};
  for (std::size_t k = 0; k < kept; ++k) z[order[k]] = std::copysign(scale, w[order[k]]);
  return z;
}

// The augmented Lagrangian as the paper writes it, with lambda and in double precision
// (Carreira-Perpinan and Idelbayev 2017, part I, section 3).
struct AugmentedLagrangian {
  Vector w{};
  Vector z{};
  Vector lambda{};
  void round(const Problem& problem, double mu) {
    Vector pull{};
    for (std::size_t i = 0; i < kSize; ++i) pull[i] = mu * z[i] + lambda[i];
    w = minimum(problem, mu, pull);
    Vector shifted{};
    for (std::size_t i = 0; i < kSize; ++i) shifted[i] = w[i] - lambda[i] / mu;
    z = nearest_ternary(shifted);
    for (std::size_t i = 0; i < kSize; ++i) lambda[i] -= mu * (w[i] - z[i]);
  }
};

torch::Tensor tensor_of(const Vector& values) {
  return lastbit::tensor_of(std::vector<float>(values.begin(), values.end()));
}

// `method` with exact L steps beside the paper's form, mu growing by `growth` a round.
void expect_the_same_path(const std::function<std::unique_ptr<Method>(Schedule)>& make,
                          double growth) {
  constexpr int kRounds = 12;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    const Problem problem = random_problem(seed);
    AugmentedLagrangian expected{.w = minimum(problem, 0.0, {})};
    expected.z = nearest_ternary(expected.w);
    const auto method =
        make(Schedule::parse(growth == 1.0 ? std::string("2") : "2*" + std::to_string(growth), ""));
    Weights weights = one_layer(std::vector<float>(kSize), "ternary");
    weights.value.copy_(tensor_of(expected.w));
    method->begin(weights);
    Progress at{.total_steps = kRounds, .total_rounds = kRounds, .learning_rate = 1.0};
    for (; at.round < kRounds; ++at.round) {
      const double mu = 2.0 * std::pow(growth, static_cast<double>(at.round));
      const auto state = method->state();
      Vector pull{};
      for (std::size_t i = 0; i < kSize; ++i) {
        pull[i] =
            mu * (static_cast<double>(vector_of(state.at("z"))[i]) - vector_of(state.at("u"))[i]);
      }
      weights.value.copy_(tensor_of(minimum(problem, mu, pull)));
      method->end_round(at);
      expected.round(problem, mu);

      // A round rounds w, z and u to float32, values below 8, and with the codes fixed its map is
      // of norm at most 2.
      const double near = std::pow(2.0, static_cast<double>(at.round + 1)) * 3.0 * 8.0 * kRounding;
      const std::vector<float> z = decoded(method->deployed().at(0));
      const std::vector<float> w = vector_of(weights.value);
      for (std::size_t i = 0; i < kSize; ++i) {
        ASSERT_NEAR(w[i], expected.w[i], near) << "round " << at.round << " weight " << i;
        ASSERT_NEAR(z[i], expected.z[i], near) << "round " << at.round << " weight " << i;
      }
    }
  }
}

std::unique_ptr<Method> lc_of(const Schedule& mu) { return make_lc({.mu = mu}); }
std::unique_ptr<Method> admm_of(const Schedule& rho) { return make_admm({.rho = rho}); }

TEST(Equivalences, LcAtAConstantMuIsThePapersAugmentedLagrangian) {
  expect_the_same_path(lc_of, 1.0);
}

TEST(Equivalences, AdmmIsThePapersAugmentedLagrangianAtAConstantMu) {
  expect_the_same_path(admm_of, 1.0);
}

TEST(Equivalences, LcWithAGrowingMuIsThePapersAugmentedLagrangian) {
  expect_the_same_path(lc_of, 1.25);
}

// By steps of gradient descent, and bit for bit.
TEST(Equivalences, LcAndAdmmTakeTheSameSteps) {
  const torch::Tensor target = lastbit::tensor_of(random_values(40, 7));
  std::vector<std::vector<float>> ends;
  for (const char* name : {"lc", "admm"}) {
    const std::string penalty = name == std::string("lc") ? "mu" : "rho";
    const auto method = make_method(find_method(name), {{penalty, "0.75"}});
    Weights weights = one_layer(random_values(40, 8), "shift:1/channel", 4);
    method->begin(weights);
    Progress at{.total_steps = 40, .total_rounds = 8, .learning_rate = 0.1};
    for (; at.round < 8; ++at.round) {
      for (int step = 0; step < 5; ++step) {
        descend(
            *method, weights, [&](const torch::Tensor& w) { return w - target; }, at);
      }
      method->end_round(at);
    }
    ends.push_back(vector_of(weights.value));
    ends.push_back(decoded(method->deployed().at(0)));
  }
  EXPECT_EQ(ends[0], ends[2]);
  EXPECT_EQ(ends[1], ends[3]);
}

// With beta so large that the tanh of every latent weight but 0 is its sign.
TEST(Equivalences, StableMirrorDescentWithAHardProjectionIsBinaryConnectWithoutClipping) {
  const auto mirror = make_method(find_method("md-tanh-s"), {{"beta", "1e30"}});
  const auto bc = make_method(find_method("bc"), {{"clip", "false"}});
  Weights a = one_layer(random_values(50, 1), "binary/none");
  Weights b = one_layer(random_values(50, 1), "binary/none");
  mirror->begin(a);
  bc->begin(b);
  Progress at{.total_steps = 60, .total_rounds = 6, .learning_rate = 0.3};
  Progress other = at;
  bool left = false;
  for (std::uint64_t step = 0; step < 60; ++step) {
    const torch::Tensor target = lastbit::tensor_of(random_values(50, 100 + step));
    const auto slope = [&](const torch::Tensor& w) { return 0.5F * w - target; };
    descend(*mirror, a, slope, at);
    descend(*bc, b, slope, other);
    ASSERT_EQ(vector_of(a.value), vector_of(b.value)) << "step " << step;
    ASSERT_EQ(vector_of(mirror->seen(at)), vector_of(bc->seen(at))) << "step " << step;
    left = left || a.value.abs().max().item<float>() > 1.0F;
    if (at.step % 10 != 0) continue;
    mirror->end_round(at);
    bc->end_round(other);
    ++at.round;
    ++other.round;
    EXPECT_EQ(mirror->deployed().at(0).codes, bc->deployed().at(0).codes);
  }
  EXPECT_TRUE(left) << "clipping would have made a difference";
}

// While no latent weight has left [-1, 1], clipping changes nothing.
TEST(Equivalences, StableMirrorDescentWithAHardProjectionIsBinaryConnectWithinTheLevels) {
  const auto mirror = make_method(find_method("md-tanh-s"), {{"beta", "1e30"}});
  const auto bc = make_method(find_method("bc"));
  std::vector<float> start = random_values(50, 2);
  for (float& value : start) value = std::tanh(value);
  Weights a = one_layer(start, "binary/none");
  Weights b = one_layer(start, "binary/none");
  mirror->begin(a);
  bc->begin(b);
  Progress at{.total_steps = 30, .total_rounds = 1, .learning_rate = 0.05};
  Progress other = at;
  const torch::Tensor target = lastbit::tensor_of(std::vector<float>(50, 0.0F));
  for (int step = 0; step < 30; ++step) {
    // The slope at a weight of +-1 points to 0, so latent weights go to 0 and cross it.
    const auto slope = [&](const torch::Tensor& w) { return w - target; };
    descend(*mirror, a, slope, at);
    descend(*bc, b, slope, other);
    ASSERT_LE(b.value.abs().max().item<float>(), 1.0F);
    ASSERT_EQ(vector_of(a.value), vector_of(b.value)) << "step " << step;
  }
}

// A pull of 1e-30 is nothing beside a gradient, so what is left is the descent from the start that
// the L step is given: iDC gives it the low-bit point.
TEST(Equivalences, IteratedDirectCompressionIsLcWithoutAPullFromTheLowBitPoint) {
  const auto idc = make_method(find_method("idc"));
  const auto lc = make_method(find_method("lc-qp"), {{"mu", "1e-30"}});
  Weights a = one_layer(random_values(60, 3), "kmeans:4");
  Weights b = one_layer(random_values(60, 3), "kmeans:4");
  idc->begin(a);
  lc->begin(b);
  const torch::Tensor target = lastbit::tensor_of(random_values(60, 4));
  const auto slope = [&](const torch::Tensor& w) { return w - target; };
  Progress at{.total_steps = 40, .total_rounds = 8, .learning_rate = 0.02};
  Progress other = at;
  const std::vector<Code> first = idc->deployed().at(0).codes;
  for (int round = 0; round < 8; ++round) {
    decode(b.layers, lc->deployed(), b.value);
    for (int step = 0; step < 5; ++step) {
      descend(*idc, a, slope, at);
      descend(*lc, b, slope, other);
      ASSERT_EQ(vector_of(a.value), vector_of(b.value)) << "round " << round;
    }
    idc->end_round(at);
    lc->end_round(other);
    ++at.round;
    ++other.round;
    EXPECT_EQ(idc->deployed().at(0).codes, lc->deployed().at(0).codes);
    EXPECT_EQ(idc->deployed().at(0).levels, lc->deployed().at(0).levels);
  }
  EXPECT_NE(idc->deployed().at(0).codes, first) << "something was learned";
}

// In exact arithmetic iDC solves the same problem every round, so it cycles between the reference
// and its projection (part I, section 6.2).
TEST(Equivalences, IteratedDirectCompressionWithExactStepsCycles) {
  const std::vector<float> reference = random_values(30, 5);
  const auto idc = make_method(find_method("idc"));
  Weights weights = one_layer(reference, "ternary");
  idc->begin(weights);
  const std::vector<float> compressed = decoded(idc->deployed().at(0));
  for (int round = 0; round < 3; ++round) {
    idc->before_forward({}, 0);
    EXPECT_EQ(vector_of(weights.value), compressed);
    weights.value.copy_(lastbit::tensor_of(reference));
    EXPECT_EQ(idc->end_round({}).flipped, 0.0);
  }
}

}  // namespace
}  // namespace lastbit
