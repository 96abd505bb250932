#pragma once

#include <span>
#include <vector>

#include <torch/types.h>

#include "lastbit/quant/projector.h"
#include "lastbit/quant/quantized.h"

namespace lastbit {

/// Weights to be projected as one tensor.
struct ProjectionTask {
  const Projector* set = nullptr;
  torch::Tensor weights;  ///< (layout.size()) float32, contiguous, on any device
  ChannelLayout layout;
  const Quantized* start = nullptr;  ///< As ProjectionHints::start.
};

/// The projections of all tasks, one for each, by tensor operations on the device that the weights
/// are on: only codes, scales and errors leave it, in two copies.
///
/// Levels that are fixed, without scale or with one for a tensor, a channel or a group, exactly:
/// all steps from a level to the next are sorted by the scale at which a weight takes them, and
/// prefix sums in float64 give the fit of each (Idelbayev et al., "Optimal Quantization Using
/// Scaled Codebook", CVPR 2021). Learned levels from `start`: Lloyd's iteration on sorted weights
/// and their prefix sums.
///
/// Brought to the CPU are the weights of learned levels that have no start, or one of which loses
/// its last weight (their best cut is found there); of alternating projection; of groups that do
/// not divide a channel; of more than 2^26 steps; and all, if any is not finite or does not fit,
/// so that the refusal is that of Projector::project.
///
/// Codes are those of `Rounding` at the scales returned. A scale is, before it is rounded to float,
/// that of Projector::project but for n 2^-52 of it, n the steps: after it, the two are the same
/// float or neighbours. Only where two fits gain the same but for n 2^-51 may they be those of
/// different fits. Learned levels stop at a round that gains less than a millionth of the error,
/// which may be one round earlier or later than there.
/// @throws InputError as Projector::project.
std::vector<Quantized> project_on_device(std::span<const ProjectionTask> tasks);

}  // namespace lastbit
