#include "lastbit/train/distillation.h"

#include <cmath>

#include <ATen/ATen.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {

void check(const Distillation& distillation) {
  if (!(distillation.share > 0.0 && distillation.share <= 1.0)) {
    throw InputError(
        cat("[distill] share is ", distillation.share, ", expected above 0 and at most 1"));
  }
  if (!(distillation.temperature > 0.0 && std::isfinite(distillation.temperature))) {
    throw InputError(
        cat("[temperature] is ", distillation.temperature, ", expected a positive number"));
  }
}

torch::Tensor distilled_from(const Distillation& distillation,
                             const torch::Tensor& taught_logits,
                             const torch::Tensor& logits,
                             const torch::Tensor& loss) {
  const double temperature = distillation.temperature;
  torch::Tensor taught;
  {
    const torch::NoGradGuard no_gradient;
    taught = at::log_softmax(taught_logits / temperature, 1);
  }
  const torch::Tensor learned = at::log_softmax(logits / temperature, 1);
  const torch::Tensor divergence = (taught.exp() * (taught - learned)).sum(1).mean();
  // The gradient of the softened part shrinks with the square of the temperature.
  return (1.0 - distillation.share) * loss +
         distillation.share * temperature * temperature * divergence;
}

torch::Tensor distilled(const Distillation& distillation,
                        const torch::Tensor& input,
                        const torch::Tensor& logits,
                        const torch::Tensor& loss,
                        Precision precision) {
  torch::Tensor taught;
  {
    const torch::NoGradGuard no_gradient;
    taught = distillation.teacher->forward(input, precision);
  }
  return distilled_from(distillation, taught, logits, loss);
}

}  // namespace lastbit
