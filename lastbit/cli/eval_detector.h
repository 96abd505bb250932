#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "lastbit/cli/data_options.h"
#include "lastbit/cli/detector.h"
#include "lastbit/data/detection.h"
#include "lastbit/detect/average_precision.h"

namespace lastbit {

/// How well a detector finds the objects of a part of a set.
struct DetectorScore {
  MeanPrecision precision;     ///< By the model's labels.
  std::int64_t images = 0;     ///< That were looked at: those that cannot be decoded are not.
  std::int64_t difficult = 0;  ///< Objects that count neither for nor against it.
};

/// The data's labels as the model's, by the names of the classes.
/// @throws InputError naming a class of the data that the model does not know.
std::vector<std::int32_t> match_classes(std::span<const std::string> model,
                                        std::span<const std::string> data);

/// The objects of an image by the model's labels. @param labels  what `match_classes` gave.
std::vector<Truth> truths_of(std::span<const LabelledBox> objects,
                             std::span<const std::int32_t> labels);

/// Runs a detector over all images, with the limits of SSD (Liu et al. 2016): scores above 0.01, at
/// most 200 detections an image; the overlap at which boxes go stands in the file.
/// @param labels  what `match_classes` gave. @param progress  called with the images done.
DetectorScore score_detector(Detector& detector,
                             const DetectionSource& data,
                             std::span<const std::int32_t> labels,
                             PrecisionRule rule,
                             const std::function<void(std::int64_t)>& progress);

/// `lastbit eval` on images with boxes.
struct DetectorEvaluation {
  std::string model;
  DataChoice data;
  bool json = false;
  PrecisionRule rule = PrecisionRule::kElevenPoint;
  SessionOptions session;
};

void evaluate_detector(const Graph& graph, const DetectorEvaluation& evaluation);

}  // namespace lastbit
