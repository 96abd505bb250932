#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "lastbit/method/method.h"
#include "lastbit/train/batches.h"
#include "lastbit/train/evaluate.h"
#include "lastbit/train/network.h"
#include "lastbit/train/optimizer.h"

namespace lastbit {

/// How often a method projects.
struct RoundLength {
  std::int64_t count = 1;
  bool epochs = true;  ///< else optimizer steps
};

struct TrainerOptions {
  std::int64_t epochs = 10;
  std::int64_t batch = 128;       ///< Samples a step; the last step of an epoch takes what is left.
  Schedule learning_rate = 0.05;  ///< Its factor form counts epochs.
  OptimizerOptions optimizer = {};
  RoundLength round = {};
  std::uint64_t seed = 0;  ///< Of the order of the samples, and of dropout.
};

/// What a run says at the end of each epoch.
struct EpochReport {
  std::int64_t epoch = 0;  ///< 1 for the first
  double loss = 0.0;   ///< mean cross-entropy over the epoch's steps, at the weights of each step
  double error = 0.0;  ///< share of training samples missed meanwhile
  Score test;          ///< of what is deployed: low-bit weights where a method is at work
  std::optional<Residuals> residuals;  ///< of the last round, where a method is at work
  double learning_rate = 0.0;
  double seconds = 0.0;  ///< of training alone, without the test
};

/// What a run says every few steps.
struct StepReport {
  Progress at;
  std::int64_t samples = 0;  ///< done in this epoch
  double loss = 0.0;         ///< mean over the epoch so far
  double error = 0.0;
  std::optional<Residuals> residuals;  ///< of the last round, once there was one
};

/// Callbacks; each may be empty.
struct Observer {
  std::function<void(const StepReport&)> step;
  std::function<void(const EpochReport&)> epoch;
  std::function<bool()> stop;  ///< asked after each step; true ends the run with WorkError
};

/// The one training loop: of the reference (no method) and of every method.
class Trainer {
 public:
  /// @param method  null to train in float. `begin` is called here.
  /// @throws InputError for options out of range, or data that do not fit the network.
  Trainer(Network& network,
          const Batches& train,
          const Batches& test,
          TrainerOptions options,
          Method* method = nullptr);

  /// @throws WorkError if the loss is no longer finite, or the observer asks to stop.
  void run(const Observer& observer);

 private:
  void run_epoch(std::int64_t epoch, const Observer& observer);
  void step(std::span<const std::int64_t> indices);
  void end_round();
  void require_finite() const;
  Score test() const;

  Network& network_;
  const Batches& train_;
  const Batches& test_;
  TrainerOptions options_;
  Method* method_;
  std::unique_ptr<Optimizer> optimizer_;
  Progress at_;
  std::optional<Residuals> residuals_;

  // Sums over the epoch so far, on the network's device.
  torch::Tensor loss_sum_;
  torch::Tensor miss_sum_;
  std::int64_t samples_ = 0;
};

}  // namespace lastbit
