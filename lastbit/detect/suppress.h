#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "lastbit/detect/box.h"

namespace lastbit {

/// What a detector finds.
struct Detection {
  Box box;
  std::int32_t label = 0;
  float score = 0.0F;

  friend bool operator==(const Detection&, const Detection&) = default;
};

/// Which boxes of one class stay.
struct SuppressionLimits {
  double max_iou = 0.45;  ///< A box goes that overlaps a better one by more.
  /// Only boxes with more than this are looked at.
  float min_score = -std::numeric_limits<float>::infinity();
  std::size_t candidates = std::numeric_limits<std::size_t>::max();  ///< The best of these.
  std::size_t most = std::numeric_limits<std::size_t>::max();        ///< At most so many stay.
};

/// Greedy non-maximum suppression: the box with the highest score stays, those that overlap it too
/// much go, and so on. Among equal scores the first box. Scores that are nan never count. Takes no
/// memory.
/// @param scores  (boxes.size())
/// @param order  (boxes.size()) is overwritten; begins with the indices of those that stay, best
///     first.
/// @return how many stay.
std::size_t suppress(std::span<const Box> boxes,
                     std::span<const float> scores,
                     const SuppressionLimits& limits,
                     std::span<std::int32_t> order);

/// How a detector's outputs become detections; defaults are those of SSD.
struct DetectionLimits {
  float min_score = 0.01F;
  double max_iou = 0.45;
  std::size_t candidates = 400;  ///< Of each class, before suppression.
  std::size_t most = 200;        ///< Of an image, all classes together.
};

/// Suppression for each class, then the best of all: highest scores first, then the lower label.
/// @param scores  (boxes.size(), classes + 1) with the class "nothing" first; labels count from 0
///     behind it.
/// @throws InputError for lists that do not fit each other.
std::vector<Detection> find_detections(std::span<const Box> boxes,
                                       std::span<const float> scores,
                                       const DetectionLimits& limits);

}  // namespace lastbit
