#pragma once

#include <cstdint>
#include <span>

#include "lastbit/detect/box.h"
#include "lastbit/detect/suppress.h"

namespace lastbit {

/// How many boxes of one class a selection has wrongly, or lacks wrongly, for a suppression whose
/// scores and overlaps are known to within `slack`; 0 for what `suppress` gives, and also where a
/// near tie went the other way, on which two programs may differ.
///
/// A selected box is right if its score is above `min_score`, not above that of the one before, and
/// if it overlaps none before it by more than `max_iou`. One that is not selected is right if its
/// score is not above `min_score`, if it overlaps a selected one with no lower score by more than
/// `max_iou`, or if `most` are selected and none of them has a lower score. `candidates` is not
/// looked at.
/// @param selected  indices of boxes, best first.
std::int64_t wrong_selections(std::span<const Box> boxes,
                              std::span<const float> scores,
                              std::span<const std::int32_t> selected,
                              const SuppressionLimits& limits,
                              double slack);

}  // namespace lastbit
