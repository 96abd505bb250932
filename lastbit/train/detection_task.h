#pragma once

#include "lastbit/detect/average_precision.h"
#include "lastbit/train/task.h"

namespace lastbit {

/// Networks whose values are `kDetectorValues`, on `DetectionBatches`. The loss is
/// `multibox_sums`'; the score is the mean average precision of the boxes that are left after
/// suppression, which is that of the file's own ends, at an overlap of 0.5.
class DetectionTask : public Task {
 public:
  explicit DetectionTask(PrecisionRule rule = PrecisionRule::kElevenPoint) : rule_(rule) {}

  Measure measure() const noexcept override { return Measure::kMeanPrecision; }
  void require_fit(Network& network, const Batches& data) override;
  BatchLoss loss(Network& network, const Batch& batch, const LossOptions& options) override;
  /// `error` is 1 - mAP, and 1 where no object counts. Images that cannot be decoded are left out.
  Score evaluate(Network& network, const Batches& data, Communicator* workers) override;

 private:
  PrecisionRule rule_;
};

}  // namespace lastbit
