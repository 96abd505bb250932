#include "lastbit/train/multibox.h"

#include <limits>
#include <tuple>

#include <ATen/ATen.h>

namespace lastbit {
namespace {

// (batch, priors) bool: those without a truth that count.
torch::Tensor mined(const torch::Tensor& nothing_loss, const torch::Tensor& matched, double ratio) {
  const torch::NoGradGuard no_gradient;
  const torch::Tensor among =
      nothing_loss.masked_fill(matched, -std::numeric_limits<float>::infinity());
  // Stable: among equals the first prior. The inverse of the order is each prior's rank.
  const torch::Tensor order =
      std::get<1>(at::sort(among, /*stable=*/true, /*dim=*/1, /*descending=*/true));
  const torch::Tensor places = at::arange(order.size(1), order.options()).expand_as(order);
  const torch::Tensor ranks = at::empty_like(order).scatter_(1, order, places);
  const torch::Tensor wanted =
      matched.sum({1}, /*keepdim=*/true).to(at::kDouble).mul(ratio).floor();
  return ranks.lt(wanted).logical_and(matched.logical_not());
}

}  // namespace

torch::Tensor MultiboxSums::loss() const { return (location + confidence) / matched.clamp_min(1); }

MultiboxSums multibox_sums(const torch::Tensor& offsets,
                           const torch::Tensor& logits,
                           const torch::Tensor& labels,
                           double ratio) {
  const torch::Tensor classes = labels.select(2, 4).to(at::kLong);  // (batch, priors)
  const torch::Tensor matched = classes.gt(0);
  const torch::Tensor shares = at::log_softmax(logits, 2);
  const torch::Tensor losses = shares.gather(2, classes.unsqueeze(2)).squeeze(2).neg();
  const torch::Tensor nothing = mined(shares.detach().select(2, 0).neg(), matched, ratio);
  const torch::Tensor counts = matched.logical_or(nothing);

  // Differences of 0 add nothing, neither to the loss nor to its gradient.
  const torch::Tensor away =
      (offsets - labels.narrow(2, 0, 4)) * matched.unsqueeze(2).to(offsets.scalar_type());
  const torch::Tensor wrong = logits.detach().argmax(2).ne(classes).logical_and(matched);
  const torch::Tensor of_image = matched.sum({1}).to(at::kDouble);
  return {.location = at::smooth_l1_loss(away, at::zeros_like(away), at::Reduction::Sum),
          .confidence = (losses * counts.to(losses.scalar_type())).sum(),
          .matched = matched.sum(),
          .misses = (wrong.sum({1}).to(at::kDouble) / of_image.clamp_min(1.0)).sum()};
}

}  // namespace lastbit
