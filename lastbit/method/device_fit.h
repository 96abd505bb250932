#pragma once

#include <optional>

#include <torch/types.h>

#include "lastbit/quant/codebook.h"

namespace lastbit::device {

// The parts of project_on_device(): fits and rounding by tensor operations. All tensors are on the
// device of the weights.

/// The scale of the least-squares fit of scaled levels to each row: the global optimum, as
/// best_scale() of quant finds it; 0 where no scale brings the levels nearer than zeros are.
/// @param rows  (rows, weights) float32, finite
/// @return (rows) float32
torch::Tensor best_scales(const torch::Tensor& rows, const Codebook& levels);

struct Rounded {
  torch::Tensor codes;  ///< (rows, weights) uint8
  torch::Tensor error;  ///< () float64, ||rows - decoded||^2
};

/// Rounds each row to the nearest of levels times its scale, as `Rounding` of quant does.
/// @param scales  (rows) float32
Rounded round(const torch::Tensor& rows, const Codebook& levels, const torch::Tensor& scales);

/// Lloyd's iteration from `start` until a round gains less than a millionth of the error. Nothing
/// if a level has lost all its weights, or two levels meet.
/// @param weights  (n) float32, finite
std::optional<Codebook> lloyd(const torch::Tensor& weights, const Codebook& start);

}  // namespace lastbit::device
