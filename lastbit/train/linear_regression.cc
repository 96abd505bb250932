#include "lastbit/train/linear_regression.h"

#include <ATen/ATen.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {

LinearRegression::LinearRegression(const torch::Tensor& x, const torch::Tensor& y) {
  if (x.dim() != 2 || y.dim() != 2 || x.size(0) != y.size(0) || x.size(0) == 0) {
    throw InputError(cat("[linear regression] x has ",
                         x.size(0),
                         " rows and y ",
                         y.size(0),
                         ", expected as many, and at least one"));
  }
  mean_x_ = x.mean(0);
  mean_y_ = y.mean(0);
  const torch::Tensor xc = x - mean_x_;
  const torch::Tensor yc = y - mean_y_;
  const double factor = 2.0 / static_cast<double>(x.size(0));
  xx_ = at::matmul(xc.t(), xc) * factor;
  yx_ = at::matmul(yc.t(), xc) * factor;
  yy_ = yc.square().sum().item<double>() * factor;
}

LinearRegression::Solution LinearRegression::solve(double mu, const torch::Tensor& target) const {
  const std::int64_t inputs = xx_.size(0);
  torch::Tensor weight;
  if (mu > 0.0) {
    const torch::Tensor matrix = xx_ + mu * at::eye(inputs, xx_.options());
    const torch::Tensor right = (yx_ + mu * target).t();
    weight = at::cholesky_solve(right, at::linalg_cholesky(matrix)).t().contiguous();
  } else {
    weight = at::matmul(yx_, at::linalg_pinv(xx_, 1e-10, /*hermitian=*/true));
  }
  return {weight, bias(weight)};
}

torch::Tensor LinearRegression::bias(const torch::Tensor& weight) const {
  return mean_y_ - at::mv(weight, mean_x_);
}

double LinearRegression::loss(const torch::Tensor& weight) const {
  const double quadratic = (at::matmul(weight, xx_) * weight).sum().item<double>();
  const double linear = (weight * yx_).sum().item<double>();
  return 0.5 * (yy_ - 2.0 * linear + quadratic);
}

}  // namespace lastbit
