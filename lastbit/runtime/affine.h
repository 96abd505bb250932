#pragma once

#include <span>
#include <vector>

#include "lastbit/runtime/step.h"

namespace lastbit {

/// Factor and summand of each output of a product, with the bias and what is fused folded in:
/// result = scale[o] * (sum of products) + shift[o].
struct OutputAffine {
  std::vector<float> scale;
  std::vector<float> shift;

  /// @param bias  one an output, or empty.
  OutputAffine(std::vector<float> weight_scales, std::span<const float> bias, const Fused& fused);

  /// Counts results in steps of which `activation`, a Clip, lets 255 through at most.
  /// @return the Clip as it is then.
  Activation count_in(float step, Activation activation);
};

/// The floats of a constant operand. Empty for one that is not there.
std::vector<float> constant_floats(const Operand& operand);

}  // namespace lastbit
