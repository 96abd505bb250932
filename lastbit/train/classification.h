#pragma once

#include "lastbit/train/task.h"

namespace lastbit {

/// Outputs are [batch, classes], of which the largest is to be that of the label. The loss is the
/// cross-entropy of their softmax.
class Classification : public Task {
 public:
  Measure measure() const noexcept override { return Measure::kError; }
  void require_fit(Network& network, const Batches& data) override;
  BatchLoss loss(Network& network, const Batch& batch, const LossOptions& options) override;
  Score evaluate(Network& network, const Batches& data, Communicator* workers) override;
};

}  // namespace lastbit
