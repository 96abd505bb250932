#pragma once

#include <map>
#include <string>
#include <vector>

#include "lastbit/data/vocabulary.h"
#include "lastbit/train/task.h"

namespace lastbit {

/// The network foretells each token from those before it, in windows between which it carries its
/// state: backpropagation through time, truncated to a window. The loss is the cross-entropy of the
/// softmax, the mean over tokens.
///
/// Its first input is the tokens, int64 [steps, batch], and its others are states, [1, batch,
/// units]; its values are logits [steps, batch, words] and the next states in the same order. It is
/// trained on `TextBatches` whose streams are the batch of the Trainer.
class LanguageModelling : public Task {
 public:
  explicit LanguageModelling(TextUnits units) : units_(units) {}

  Measure measure() const noexcept override;
  void require_fit(Network& network, const Batches& data) override;
  BatchLoss loss(Network& network, const Batch& batch, const LossOptions& options) override;
  /// Each stream of the data is read once from a state of zeros. Workers share nothing: a stream
  /// cannot be cut without changing the result.
  Score evaluate(Network& network, const Batches& data, Communicator* workers) override;

  void advance() override;
  void start_epoch() override;
  std::map<std::string, torch::Tensor> state() const override;
  void load(const std::map<std::string, torch::Tensor>& state) override;

 private:
  using States = std::vector<torch::Tensor>;

  TextUnits units_;
  // Of the network and of its teacher. Empty: zeros.
  States carried_;
  States taught_;
  // What `advance` makes of them.
  States next_carried_;
  States next_taught_;
};

}  // namespace lastbit
