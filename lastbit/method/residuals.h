#pragma once

#include <vector>

#include "lastbit/method/method.h"

namespace lastbit {

/// The figures of a round from its weights `w`, low-bit point `z` and the point of the round
/// before.
Residuals residuals(const torch::Tensor& w,
                    const torch::Tensor& z,
                    const torch::Tensor& z_before,
                    const std::vector<Quantized>& before,
                    const std::vector<Quantized>& now,
                    double penalty);

}  // namespace lastbit
