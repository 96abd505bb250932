#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lastbit/detect/box.h"
#include "lastbit/detect/suppress.h"

namespace lastbit {

/// An object that is to be found.
struct Truth {
  Box box;
  std::int32_t label = 0;
  bool difficult = false;  ///< Finding it counts neither for nor against a detector.
};

/// An image with what is in it and what a detector found.
struct EvaluatedImage {
  std::vector<Truth> truths;
  std::vector<Detection> detections;
};

enum class PrecisionRule : std::uint8_t {
  kElevenPoint,  ///< VOC 2007: mean of the best precision at a recall of 0, 0.1, ..., 1 and more.
  kArea,         ///< VOC 2010 and later: area under the precision made falling.
};

struct PrecisionOptions {
  PrecisionRule rule = PrecisionRule::kElevenPoint;
  double min_iou = 0.5;  ///< From here on a detection has found an object.
  /// As `iou` takes it: 1 for boxes that name first and last pixels, 0 for edges.
  double extra = 0.0;
};

struct ClassPrecision {
  std::int64_t truths = 0;  ///< That are not difficult.
  std::int64_t found = 0;
  std::int64_t false_alarms = 0;
  double average_precision = 0.0;  ///< nan for a class without truths.
};

struct MeanPrecision {
  std::vector<ClassPrecision> classes;  // by label
  double mean = 0.0;                    ///< Of the classes with truths; nan where there are none.
};

/// Average precision as PASCAL VOC's development kit computes it. Detections of a class are taken
/// by falling score, among equals in the order of images and in an image. Each is compared with the
/// truth of its class and image that it overlaps most: from `min_iou` on it has found it, the first
/// time; found again is a false alarm; a difficult one is passed over. Recalls are compared as
/// whole numbers, so that 3 of 10 is a recall of 0.3.
/// @throws InputError for labels that are not 0, ..., classes - 1, and scores that are nan.
MeanPrecision mean_average_precision(std::span<const EvaluatedImage> images,
                                     std::int32_t classes,
                                     const PrecisionOptions& options);

}  // namespace lastbit
