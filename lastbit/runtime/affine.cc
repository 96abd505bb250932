#include "lastbit/runtime/affine.h"

#include <utility>

namespace lastbit {

std::vector<float> constant_floats(const Operand& operand) {
  if (operand.constant == nullptr) return {};
  const Tensor tensor = decode(*operand.constant);
  const std::span<const float> values = tensor.as_floats();
  return {values.begin(), values.end()};
}

OutputAffine::OutputAffine(std::vector<float> weight_scales,
                           std::span<const float> bias,
                           const Fused& fused)
    : scale(std::move(weight_scales)), shift(scale.size(), 0.0F) {
  const std::vector<float> added = constant_floats(fused.bias);
  for (std::size_t o = 0; o < scale.size(); ++o) {
    if (!bias.empty()) shift[o] += bias[o];
    if (!added.empty()) shift[o] += added[o];
    if (!fused.normalization) continue;
    const float factor = fused.normalization->factor[o];
    scale[o] *= factor;
    shift[o] = shift[o] * factor + fused.normalization->shift[o];
  }
}

Activation OutputAffine::count_in(float step, Activation activation) {
  for (float& factor : scale) factor /= step;
  for (float& summand : shift) summand /= step;
  activation.least /= step;
  activation.most = 255.0F;
  return activation;
}

}  // namespace lastbit
