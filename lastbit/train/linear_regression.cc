#include "lastbit/train/linear_regression.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {

namespace {

bool is_matrix(const torch::Tensor& tensor) {
  return tensor.defined() && tensor.dim() == 2 && tensor.scalar_type() == torch::kFloat64;
}

std::string text_of(const torch::Tensor& tensor) {
  if (!tensor.defined()) return "nothing";
  std::vector<std::string> sizes;
  for (const std::int64_t size : tensor.sizes()) sizes.push_back(cat(size));
  return cat("[", join(sizes), "] of ", tensor.dtype().name());
}

}  // namespace

LinearRegression::LinearRegression(const torch::Tensor& x, const torch::Tensor& y) {
  if (!is_matrix(x) || !is_matrix(y) || x.size(0) != y.size(0) || x.size(0) == 0) {
    throw InputError(cat("[linear regression] x is ",
                         text_of(x),
                         " and y ",
                         text_of(y),
                         ", expected two matrices of double with as many rows, and at least one"));
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
  if (!std::isfinite(mu) || mu < 0.0) {
    throw InputError(
        cat("[linear regression] mu is ", mu, ", expected a finite number that is not negative"));
  }
  if (mu > 0.0 && (!is_matrix(target) || target.sizes() != yx_.sizes())) {
    throw InputError(
        cat("[linear regression] the target is ", text_of(target), ", expected ", text_of(yx_)));
  }
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
