#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/data/detection.h"
#include "lastbit/data/detection_augment.h"
#include "lastbit/detect/priors.h"
#include "lastbit/graph/graph.h"
#include "lastbit/train/batches.h"

namespace lastbit {

/// The values of a detector that training looks at, as `Network` takes them.
inline constexpr std::array<std::string_view, 2> kDetectorValues = {"offsets", "class_logits"};

/// What a detector asks of images with boxes.
struct DetectorForm {
  ImageSize size;                  ///< Images are stretched to it.
  std::vector<CentredBox> priors;  ///< In the order of the rows of `offsets`.
  std::int64_t classes = 0;        ///< Things to be found, without "nothing".
};

/// Reads the form of a graph as `finish_detector` of the zoo makes them: an input [batch, 3,
/// height, width], the constant `priors` [priors, 4], the values `offsets` [batch, priors, 4] and
/// `class_logits` [batch, priors, classes + 1].
/// @throws InputError for other graphs.
DetectorForm detector_form(const Graph& graph);

/// Images with boxes as a detector takes them: decoded, changed at random, stretched and matched
/// with its priors, on several threads. Labels are (batch, priors, 5): the offsets that a prior is
/// to give and its class, which counts from 1; 0 where it has no truth.
class DetectionBatches : public Batches {
 public:
  /// @param labels  of the data, as the detector's: each below `form.classes`.
  /// @param augmentation  for what is loaded with a seed.
  /// @param threads  that decode; 0 takes all processors.
  DetectionBatches(std::shared_ptr<const DetectionSource> source,
                   DetectorForm form,
                   std::vector<std::int32_t> labels,
                   torch::Device device,
                   const DetectionAugmentation& augmentation = {},
                   int threads = 0);

  std::int64_t size() const noexcept override { return source_->size(); }
  std::int64_t classes() const noexcept override { return form_.classes; }
  std::int64_t tested_together() const noexcept override { return 32; }
  /// `indices` of the result are those of the images that were read: another where one is damaged.
  LoadedBatch load(std::span<const std::int64_t> indices,
                   const std::optional<AugmentationSeed>& seed) const override;
  Batch ready(const LoadedBatch& loaded,
              const std::optional<AugmentationSeed>& seed) const override;
  bool load_is_slow() const noexcept override { return true; }
  std::vector<std::string> skipped() const override { return source_->skipped(); }

  const DetectorForm& form() const noexcept { return form_; }
  int threads() const noexcept { return threads_; }
  /// What is in image `index`: labels are the detector's, edges parts of width and height.
  std::vector<LabelledBox> objects(std::int64_t index) const;

 private:
  void write_labels(std::span<const LabelledBox> objects, std::span<float> out) const;

  std::shared_ptr<const DetectionSource> source_;
  DetectorForm form_;
  std::vector<std::int32_t> labels_;
  torch::Device device_;
  DetectionAugmentation augmentation_;
  int threads_;
};

}  // namespace lastbit
