#include "lastbit/detect/selection_check.h"

#include <algorithm>
#include <vector>

namespace lastbit {
namespace {

struct Checker {
  std::span<const Box> boxes;
  std::span<const float> scores;
  std::span<const std::int32_t> selected;
  const SuppressionLimits& limits;
  double slack;

  double score(std::int32_t i) const { return scores[static_cast<std::size_t>(i)]; }
  double overlap(std::int32_t a, std::int32_t b) const {
    return iou(boxes[static_cast<std::size_t>(a)], boxes[static_cast<std::size_t>(b)]);
  }

  bool rightly_in(std::size_t place) const {
    const std::int32_t i = selected[place];
    const auto before = selected.first(place);
    if (!(score(i) > limits.min_score - slack) || place >= limits.most) return false;
    if (place > 0 && score(i) > score(before.back()) + slack) return false;
    return std::ranges::all_of(before, [&](std::int32_t better) {
      return better != i && overlap(better, i) <= limits.max_iou + slack;
    });
  }

  bool rightly_out(std::int32_t i) const {
    if (!(score(i) > limits.min_score + slack)) return true;
    const auto no_lower = [&](std::int32_t other) { return score(other) >= score(i) - slack; };
    if (selected.size() >= limits.most && std::ranges::all_of(selected, no_lower)) return true;
    return std::ranges::any_of(selected, [&](std::int32_t better) {
      return no_lower(better) && overlap(better, i) > limits.max_iou - slack;
    });
  }
};

}  // namespace

std::int64_t wrong_selections(std::span<const Box> boxes,
                              std::span<const float> scores,
                              std::span<const std::int32_t> selected,
                              const SuppressionLimits& limits,
                              double slack) {
  const Checker checker{boxes, scores, selected, limits, slack};
  std::vector<bool> in(boxes.size());
  std::int64_t wrong = 0;
  for (std::size_t place = 0; place < selected.size(); ++place) {
    in[static_cast<std::size_t>(selected[place])] = true;
    wrong += checker.rightly_in(place) ? 0 : 1;
  }
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    if (!in[i]) wrong += checker.rightly_out(static_cast<std::int32_t>(i)) ? 0 : 1;
  }
  return wrong;
}

}  // namespace lastbit
