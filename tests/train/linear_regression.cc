#include "lastbit/train/linear_regression.h"

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"

namespace lastbit {
namespace {

torch::Tensor matrix(const std::vector<std::vector<double>>& rows) {
  std::vector<double> values;
  for (const auto& row : rows) values.insert(values.end(), row.begin(), row.end());
  return torch::tensor(values, torch::kFloat64).view({static_cast<std::int64_t>(rows.size()), -1});
}

torch::Tensor random_matrix(std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
  Random random(seed);
  std::vector<double> values;
  for (std::int64_t i = 0; i < rows * columns; ++i) values.push_back(random.normal());
  return torch::tensor(values, torch::kFloat64).view({rows, columns});
}

double at(const torch::Tensor& tensor, std::int64_t i, std::int64_t j) {
  return tensor[i][j].item<double>();
}

// 1/N sum_n ||y_n - W x_n - b||^2, a sample at a time.
double squares(const torch::Tensor& x,
               const torch::Tensor& y,
               const torch::Tensor& weight,
               const torch::Tensor& bias) {
  double sum = 0.0;
  for (std::int64_t n = 0; n < x.size(0); ++n) {
    for (std::int64_t i = 0; i < y.size(1); ++i) {
      double output = bias[i].item<double>();
      for (std::int64_t j = 0; j < x.size(1); ++j) output += at(weight, i, j) * at(x, n, j);
      sum += std::pow(at(y, n, i) - output, 2);
    }
  }
  return sum / static_cast<double>(x.size(0));
}

// Largest magnitude of the gradient in weight and bias of what `solve` makes least.
double steepest(const torch::Tensor& x,
                const torch::Tensor& y,
                const LinearRegression::Solution& solution,
                double mu,
                const torch::Tensor& target) {
  const torch::Tensor gap = at::matmul(x, solution.weight.t()) + solution.bias - y;
  const double factor = 2.0 / static_cast<double>(x.size(0));
  torch::Tensor gradient = at::matmul(gap.t(), x) * factor;
  if (mu > 0.0) gradient = gradient + mu * (solution.weight - target);
  const torch::Tensor of_bias = gap.sum(0) * factor;
  return std::max(gradient.abs().max().item<double>(), of_bias.abs().max().item<double>());
}

// Sums of 50 products of numbers of order 1, and a system of condition below 1e3.
constexpr double kTolerance = 1e-11;

TEST(LinearRegression, EndsWhereTheGradientIsZero) {
  const torch::Tensor x = random_matrix(50, 6, 1) + 3.0;
  const torch::Tensor y = random_matrix(50, 4, 2) - 1.0;
  const torch::Tensor target = random_matrix(4, 6, 3);
  const LinearRegression problem(x, y);
  for (const double mu : {0.0, 1e-3, 1.0, 50.0}) {
    const LinearRegression::Solution solution = problem.solve(mu, target);
    EXPECT_LE(steepest(x, y, solution, mu, target), kTolerance * (1.0 + mu)) << mu;
  }
}

// x = 0, 1, 2 and y = 0, 1, 5: slope 2.5 and bias -0.5 without penalty. 2/N Xc Xc' is 4/3 and
// 2/N Yc Xc' 10/3, so with mu = 2 and a target of 1 the slope is (10/3 + 2) / (4/3 + 2) = 1.6.
TEST(LinearRegression, SolvesALineByHand) {
  const torch::Tensor x = matrix({{0}, {1}, {2}});
  const torch::Tensor y = matrix({{0}, {1}, {5}});
  const LinearRegression problem(x, y);
  const LinearRegression::Solution free = problem.solve(0.0, {});
  EXPECT_NEAR(at(free.weight, 0, 0), 2.5, 1e-14);
  EXPECT_NEAR(free.bias[0].item<double>(), -0.5, 1e-14);
  // Residuals 0.5, -1, 0.5.
  EXPECT_NEAR(problem.loss(free.weight), 0.5, 1e-14);
  const LinearRegression::Solution pulled = problem.solve(2.0, matrix({{1}}));
  EXPECT_NEAR(at(pulled.weight, 0, 0), 1.6, 1e-14);
  EXPECT_NEAR(pulled.bias[0].item<double>(), 0.4, 1e-14);
}

TEST(LinearRegression, GoesToTheTargetAsMuGrows) {
  const torch::Tensor target = random_matrix(2, 3, 5);
  const LinearRegression problem(random_matrix(20, 3, 4), random_matrix(20, 2, 6));
  double last = std::numeric_limits<double>::infinity();
  for (const double mu : {0.1, 1.0, 10.0, 1e6}) {
    const double gap = (problem.solve(mu, target).weight - target).abs().max().item<double>();
    EXPECT_LT(gap, last);
    last = gap;
  }
  EXPECT_LE(last, 1e-5);
}

// The second input is the same in every sample: the bias does its part.
TEST(LinearRegression, GivesNoWeightToAnInputThatDoesNotVary) {
  torch::Tensor x = random_matrix(30, 3, 7);
  x.select(1, 1).fill_(2.5);
  const torch::Tensor y = random_matrix(30, 2, 8);
  const LinearRegression problem(x, y);
  const LinearRegression::Solution solution = problem.solve(0.0, {});
  for (std::int64_t i = 0; i < 2; ++i) EXPECT_NEAR(at(solution.weight, i, 1), 0.0, 1e-12);
  EXPECT_LE(steepest(x, y, solution, 0.0, {}), kTolerance);
  // With a penalty it takes the target's.
  const torch::Tensor target = random_matrix(2, 3, 9);
  const LinearRegression::Solution pulled = problem.solve(0.5, target);
  for (std::int64_t i = 0; i < 2; ++i)
    EXPECT_NEAR(at(pulled.weight, i, 1), at(target, i, 1), 1e-12);
}

TEST(LinearRegression, TellsTheLossWithTheBestBias) {
  const torch::Tensor x = random_matrix(25, 3, 10) + 2.0;
  const torch::Tensor y = random_matrix(25, 2, 11) - 4.0;
  const LinearRegression problem(x, y);
  for (std::uint64_t seed = 12; seed < 15; ++seed) {
    const torch::Tensor weight = random_matrix(2, 3, seed);
    const torch::Tensor bias = problem.bias(weight);
    const double loss = problem.loss(weight);
    EXPECT_NEAR(loss, squares(x, y, weight, bias), 1e-12 * loss);
    for (const double step : {-0.01, 0.01}) {
      EXPECT_GT(squares(x, y, weight, bias + step), loss);
    }
  }
  EXPECT_LT(problem.loss(problem.solve(0.0, {}).weight),
            problem.loss(problem.solve(1.0, random_matrix(2, 3, 16)).weight));
}

TEST(LinearRegression, TakesASingleSample) {
  const LinearRegression problem(matrix({{1, 2}}), matrix({{3}}));
  const LinearRegression::Solution solution = problem.solve(0.0, {});
  EXPECT_EQ(solution.weight.abs().max().item<double>(), 0.0);
  EXPECT_EQ(solution.bias[0].item<double>(), 3.0);
  EXPECT_EQ(problem.loss(solution.weight), 0.0);
}

std::string refusal(const std::function<void()>& work) {
  try {
    work();
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(LinearRegression, RefusesWhatDoesNotFit) {
  const auto pair = [](const torch::Tensor& x, const torch::Tensor& y) {
    return refusal([&] { const LinearRegression problem(x, y); });
  };
  const std::string expected =
      ", expected two matrices of double with as many rows, and at least one";
  const torch::Tensor two = random_matrix(2, 3, 1);
  EXPECT_EQ(pair(two, random_matrix(4, 1, 2)),
            "[linear regression] x is [2, 3] of double and y [4, 1] of double" + expected);
  EXPECT_EQ(pair(two, two.to(torch::kFloat32)),
            "[linear regression] x is [2, 3] of double and y [2, 3] of float" + expected);
  EXPECT_EQ(pair(two.flatten(), two),
            "[linear regression] x is [6] of double and y [2, 3] of double" + expected);
  EXPECT_EQ(pair(two.sum(), two),
            "[linear regression] x is [] of double and y [2, 3] of double" + expected);
  EXPECT_EQ(pair(two, {}), "[linear regression] x is [2, 3] of double and y nothing" + expected);
  const torch::Tensor none = torch::empty({0, 3}, torch::kFloat64);
  EXPECT_EQ(pair(none, none),
            "[linear regression] x is [0, 3] of double and y [0, 3] of double" + expected);
}

TEST(LinearRegression, RefusesAPullThatIsNone) {
  const LinearRegression problem(random_matrix(5, 3, 1), random_matrix(5, 2, 2));
  for (const double mu : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_NE(refusal([&] { problem.solve(mu, random_matrix(2, 3, 3)); }), "accepted") << mu;
  }
  EXPECT_EQ(refusal([&] { problem.solve(-0.5, {}); }),
            "[linear regression] mu is -0.5, expected a finite number that is not negative");
  EXPECT_EQ(refusal([&] { problem.solve(1.0, {}); }),
            "[linear regression] the target is nothing, expected [2, 3] of double");
  EXPECT_EQ(refusal([&] { problem.solve(1.0, random_matrix(3, 2, 3)); }),
            "[linear regression] the target is [3, 2] of double, expected [2, 3] of double");
}

}  // namespace
}  // namespace lastbit
