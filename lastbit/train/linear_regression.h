#pragma once

#include <torch/types.h>

namespace lastbit {

/// Least squares y = W x + b, with the L step of LC in closed form.
///
///     min over W, b of  1/N sum_n ||y_n - W x_n - b||^2 + mu/2 ||W - target||^2
///
/// With centred data, W = (2/N Yc Xc' + mu T) (2/N Xc Xc' + mu I)^-1 and b = mean(y) - W mean(x):
/// the gradient in W is zero there.
class LinearRegression {
 public:
  /// @param x  (N, inputs). @param y  (N, outputs). Both float64.
  /// @throws InputError if they do not fit.
  LinearRegression(const torch::Tensor& x, const torch::Tensor& y);

  struct Solution {
    torch::Tensor weight;  // (outputs, inputs)
    torch::Tensor bias;    // (outputs)
  };

  /// @param mu  not negative. At 0, directions in which x does not vary keep no weight.
  /// @param target  (outputs, inputs) float64; not looked at where mu is 0.
  /// @throws InputError if one of them does not fit.
  Solution solve(double mu, const torch::Tensor& target) const;
  /// The best bias for a weight.
  torch::Tensor bias(const torch::Tensor& weight) const;
  /// 1/N sum_n ||y_n - W x_n - b||^2 with the best bias.
  double loss(const torch::Tensor& weight) const;

 private:
  torch::Tensor mean_x_;  // (inputs)
  torch::Tensor mean_y_;  // (outputs)
  torch::Tensor xx_;      // (inputs, inputs)   2/N Xc Xc'
  torch::Tensor yx_;      // (outputs, inputs)  2/N Yc Xc'
  double yy_ = 0.0;       // 2/N ||Yc||^2
};

}  // namespace lastbit
