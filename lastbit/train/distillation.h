#pragma once

#include <torch/types.h>

#include "lastbit/train/network.h"
#include "lastbit/train/precision.h"

namespace lastbit {

/// Knowledge distillation: the network also learns from the outputs of another, as a rule its own
/// float reference (Hinton, Vinyals and Dean 2015, arXiv 1503.02531).
struct Distillation {
  Network* teacher = nullptr;  ///< null for none; takes the same input, has the same outputs
  double share = 0.5;          ///< of the teacher's part in the loss, in (0, 1]
  double temperature = 4.0;    ///< by which both outputs are divided; positive
};

/// @throws InputError for options out of range.
void check(const Distillation& distillation);

/// (1 - share) * loss + share * T^2 * KL(softmax(taught / T) || softmax(logits / T)), the mean
/// over the batch.
///
/// @param taught  (batch, classes): the teacher's.
/// @param logits  (batch, classes), with gradient. @param loss  () on the labels.
torch::Tensor distilled_from(const Distillation& distillation,
                             const torch::Tensor& taught,
                             const torch::Tensor& logits,
                             const torch::Tensor& loss);

/// The same with the outputs that the teacher has on `input` (batch, sample shape...).
/// @param precision  that the teacher computes in.
torch::Tensor distilled(const Distillation& distillation,
                        const torch::Tensor& input,
                        const torch::Tensor& logits,
                        const torch::Tensor& loss,
                        Precision precision = Precision::kFloat32);

}  // namespace lastbit
