#include "lastbit/detect/suppress.h"

#include <algorithm>

namespace lastbit {

std::size_t suppress(std::span<const Box> boxes,
                     std::span<const float> scores,
                     const SuppressionLimits& limits,
                     std::span<std::int32_t> order) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    if (scores[i] > limits.min_score) order[count++] = static_cast<std::int32_t>(i);
  }
  std::ranges::sort(order.first(count), [&](std::int32_t a, std::int32_t b) {
    return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
  });
  count = std::min(count, limits.candidates);
  // Those that stay move to the front, over candidates that were looked at.
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count && kept < limits.most; ++i) {
    const std::int32_t candidate = order[i];
    const bool stays = std::ranges::all_of(order.first(kept), [&](std::int32_t better) {
      return iou(boxes[better], boxes[candidate]) <= limits.max_iou;
    });
    if (stays) order[kept++] = candidate;
  }
  return kept;
}

}  // namespace lastbit
