#pragma once

#include <torch/types.h>

namespace lastbit {

/// What a detector's outputs on a batch are worth (Liu et al. 2016, equations 1 to 3), as sums over
/// the batch, so that batches can be added.
struct MultiboxSums {
  torch::Tensor location;    ///< () smooth L1 of the offsets of priors with a truth
  torch::Tensor confidence;  ///< () cross-entropy of these, and of the hardest of the others
  torch::Tensor matched;     ///< () priors with a truth
  /// () the share of an image's priors with a truth whose largest logit is not their class, summed
  /// over the images
  torch::Tensor misses;

  /// () (location + confidence) / matched, 0 where no prior has a truth
  torch::Tensor loss() const;
};

/// Of the priors without a truth, those count that `mine_hard_negatives` takes, image by image: so
/// many times as there are priors with one, with the largest cross-entropy. Everything happens on
/// the tensors' device, and nothing waits for it.
/// @param offsets  (batch, priors, 4) as `encode_box`.
/// @param logits  (batch, priors, classes + 1), class 0 being "nothing".
/// @param labels  (batch, priors, 5) the offsets to be found and the class, 0 where a prior has no
///     truth; float32.
/// @param ratio  of priors without a truth to those with one.
MultiboxSums multibox_sums(const torch::Tensor& offsets,
                           const torch::Tensor& logits,
                           const torch::Tensor& labels,
                           double ratio = 3.0);

}  // namespace lastbit
