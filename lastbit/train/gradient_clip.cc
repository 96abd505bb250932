#include "lastbit/train/gradient_clip.h"

#include <cmath>

#include <ATen/ATen.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {

void clip_gradient(torch::Tensor& gradient, double most) {
  if (!(most > 0.0) || !std::isfinite(most)) {
    throw InputError(cat("[clip] ", most, " is no norm to clip to, expected a positive number"));
  }
  const torch::NoGradGuard no_gradient;
  const torch::Tensor norm = at::linalg_vector_norm(gradient, 2, {}, false, torch::kFloat64);
  if (gradient.is_cpu() && norm.item<double>() <= most) return;
  // Exactly 1 where the norm is at most `most`.
  gradient.mul_((most / norm.clamp_min(most)).to(gradient.scalar_type()));
}

}  // namespace lastbit
