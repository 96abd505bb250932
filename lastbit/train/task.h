#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <torch/types.h>

#include "lastbit/train/batches.h"
#include "lastbit/train/communicator.h"
#include "lastbit/train/distillation.h"
#include "lastbit/train/network.h"

namespace lastbit {

/// The figure by which networks of a task are compared.
enum class Measure : std::uint8_t {
  kError,          ///< Share of samples missed.
  kPerplexity,     ///< exp(loss), a word.
  kBits,           ///< loss / log(2), a character.
  kMeanPrecision,  ///< 1 - error: mean average precision of boxes.
};

/// How good a network is on a part of a data set.
struct Score {
  double loss = 0.0;          ///< Mean; of classes, words and characters the cross-entropy in nats.
  double error = 0.0;         ///< Share of samples missed, in [0, 1]; for boxes 1 - mean precision.
  std::int64_t examples = 0;  ///< Samples, words or characters.
  Measure measure = Measure::kError;
};

/// What a network's outputs on a batch are worth.
struct BatchLoss {
  torch::Tensor loss;    ///< () mean over the batch, on the labels alone
  torch::Tensor misses;  ///< () samples missed; shares of one where a sample is a sequence
  torch::Tensor target =
      {};  ///< () with gradient, what a step makes small: the loss, with a teacher's
};

/// How a batch is looked at.
struct LossOptions {
  Precision precision = Precision::kFloat32;
  Distillation distillation = {};
  /// The batch follows the one before, from which a network may have values to go on with.
  bool carried = false;
};

/// What a network is trained for: what its outputs are compared with, and how good they are.
///
/// The Trainer calls, for each step, `loss` once a pass, all passes on the same batch, then
/// `advance`.
class Task {
 public:
  virtual ~Task() = default;

  virtual Measure measure() const noexcept = 0;
  /// @throws InputError unless the network has the outputs that the data ask for.
  virtual void require_fit(Network& network, const Batches& data) = 0;
  /// Runs the network, in whichever mode it is.
  virtual BatchLoss loss(Network& network, const Batch& batch, const LossOptions& options) = 0;
  /// Runs the network over all samples, in use and not in training.
  /// @param workers  share the samples, all calling this; null: alone.
  virtual Score evaluate(Network& network, const Batches& data, Communicator* workers) = 0;

  /// The next batch follows the one that `loss` was last called on with `carried`.
  virtual void advance() {}
  /// The next batch is the first of an epoch.
  virtual void start_epoch() {}
  /// Copies, on the CPU, of what goes from batch to batch, for a run to go on with.
  virtual std::map<std::string, torch::Tensor> state() const { return {}; }
  /// @throws FormatError for what is none of that.
  virtual void load(const std::map<std::string, torch::Tensor>& /*state*/) {}
};

}  // namespace lastbit
