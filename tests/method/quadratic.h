#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include <gtest/gtest.h>

#include "support.h"

// A quadratic loss f(w) = 1/2 w'Hw - b'w in four weights, ternary with one scale. The proximal step
// is solved exactly, so every iterate is known; the figures were computed in double precision by
// another program.

namespace lastbit {

using Vector = std::array<double, 4>;

inline constexpr std::array<Vector, 4> kCurvature = {
    {{2.0, 0.3, 0.0, 0.1}, {0.3, 1.0, -0.2, 0.0}, {0.0, -0.2, 1.5, 0.25}, {0.1, 0.0, 0.25, 0.8}}};
inline constexpr Vector kSlope = {1.0, -0.5, 0.2, 0.9};
inline constexpr Vector kReference = {.5489324162, -.6931963138, -.1425829449, 1.1009406183};

inline double loss(const std::vector<float>& w) {
  double sum = 0.0;
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) sum += 0.5 * w[i] * kCurvature[i][j] * w[j];
    sum -= kSlope[i] * w[i];
  }
  return sum;
}

inline torch::Tensor slope_at(const torch::Tensor& w) {
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
inline Vector proximal(double rho, const Vector& target) {
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

inline Weights reference_weights() {
  return one_layer(std::vector<float>(kReference.begin(), kReference.end()), "ternary");
}

inline void expect_near(const std::vector<float>& values,
                        const Vector& expected,
                        double tolerance) {
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(values[i], expected[i], tolerance) << i;
}

/// The proximal step of a splitting method, solved exactly: its weights become the minimum of
/// f(w) + penalty/2 ||w - z + u||^2.
inline void solve_round(const Method& method, double penalty, Weights& weights) {
  const auto state = method.state();
  const std::vector<float> z = vector_of(state.at("z"));
  const std::vector<float> u = vector_of(state.at("u"));
  Vector target{};
  for (std::size_t i = 0; i < 4; ++i) target[i] = static_cast<double>(z[i]) - u[i];
  const Vector solved = proximal(penalty, target);
  weights.value.copy_(tensor_of(std::vector<float>(solved.begin(), solved.end())));
}

// What ADMM with rho = 1 from the direct compression does.
struct Row {
  int round;
  Vector w;
  double scale;
  Vector u;
  double loss;
};

inline constexpr std::array<Row, 4> kRows = {{{1,
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

}  // namespace lastbit
