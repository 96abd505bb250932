#include <algorithm>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/detect/suppress.h"

namespace lastbit {

std::vector<Detection> find_detections(std::span<const Box> boxes,
                                       std::span<const float> scores,
                                       const DetectionLimits& limits) {
  const std::size_t columns = boxes.empty() ? 0 : scores.size() / boxes.size();
  if (columns * boxes.size() != scores.size() || (!boxes.empty() && columns < 2)) {
    throw InputError(cat("[detect] ",
                         scores.size(),
                         " scores for ",
                         boxes.size(),
                         " boxes, expected two or more for each"));
  }
  std::vector<Detection> found;
  std::vector<float> column(boxes.size());
  std::vector<std::int32_t> order(boxes.size());
  for (std::size_t c = 1; c < columns; ++c) {
    for (std::size_t i = 0; i < boxes.size(); ++i) column[i] = scores[i * columns + c];
    const std::size_t kept = suppress(
        boxes,
        column,
        {.max_iou = limits.max_iou, .min_score = limits.min_score, .candidates = limits.candidates},
        order);
    for (const std::int32_t i : std::span(order).first(kept)) {
      found.push_back(
          {.box = boxes[i], .label = static_cast<std::int32_t>(c - 1), .score = column[i]});
    }
  }
  std::ranges::stable_sort(found, std::ranges::greater(), &Detection::score);
  found.resize(std::min(found.size(), limits.most));
  return found;
}

}  // namespace lastbit
