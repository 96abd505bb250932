#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lastbit/method/method.h"
#include "lastbit/train/batches.h"
#include "lastbit/train/classification.h"
#include "lastbit/train/communicator.h"
#include "lastbit/train/data_parallel.h"
#include "lastbit/train/distillation.h"
#include "lastbit/train/evaluate.h"
#include "lastbit/train/network.h"
#include "lastbit/train/optimizer.h"
#include "lastbit/train/rounds.h"
#include "lastbit/train/task.h"

namespace lastbit {

struct TrainerOptions {
  /// What the network is trained for; null: to tell classes.
  Task* task = nullptr;
  std::int64_t epochs = 10;
  /// Samples a step, of all workers together; the last step of an epoch takes what is left.
  std::int64_t batch = 128;
  Schedule learning_rate = 0.05;  ///< Its factor form counts epochs.
  OptimizerOptions optimizer = {};
  RoundLength round = {};
  std::uint64_t seed = 0;  ///< Of the order of the samples, and of dropout.
  Distillation distillation = {};
  /// The run ends after the round whose primal residual is at most this; 0: never early.
  double feasible = 0.0;
  double clip = 0.0;  ///< The gradient is made no longer than this; 0: as it is.
  Precision precision = Precision::kFloat32;  ///< Of the steps; what is tested is float32.
  /// Training samples on which each round measures the loss at the float and the low-bit weights.
  std::int64_t probe = 256;
  /// Those that train the network together, each with a Trainer of the same options; null: alone.
  Communicator* workers = nullptr;
};

/// What a run says at the end of each epoch.
struct EpochReport {
  std::int64_t epoch = 0;  ///< 1 for the first
  double loss = 0.0;       ///< mean over the epoch's steps, at the weights of each step
  double error = 0.0;      ///< share of training samples missed meanwhile
  Score test;              ///< of what is deployed: low-bit weights where a method is at work
  std::optional<Residuals> residuals;  ///< of the last round, where a method is at work
  double learning_rate = 0.0;
  double seconds = 0.0;   ///< of training alone, without the test
  double waited = 0.0;    ///< of them, seconds spent waiting for samples
  bool feasible = false;  ///< whether the run ends here because the weights are feasible
};

/// What a run says every few steps.
struct StepReport {
  Progress at;
  std::int64_t samples = 0;  ///< done in this epoch
  double loss = 0.0;         ///< mean over the epoch so far
  double error = 0.0;
  Measure measure = Measure::kError;
  std::optional<Residuals> residuals;  ///< of the last round, once there was one
};

/// What a run says at the end of each round of a method.
struct RoundReport {
  Progress at;  ///< `round` is that of this round, 0 for the first
  Residuals residuals;
  bool probed = false;        ///< whether the losses were measured
  double loss = 0.0;          ///< on the probe, at the float weights that training sees
  double low_bit_loss = 0.0;  ///< on the probe, at the weights deployed
};

/// Callbacks; each may be empty.
struct Observer {
  std::function<void(const StepReport&)> step;
  std::function<void(const EpochReport&)> epoch;
  std::function<void(const RoundReport&)> round;
  std::function<void()> between_steps;  ///< called after each step, when `state` may be taken
  /// Asked after that; true ends the run with WorkError. Where several workers train, each is asked
  /// before a step, and if one says true it is the last for all.
  std::function<bool()> stop;
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

  /// @throws WorkError if the loss is no longer finite, or the observer asks to stop; LostWorker,
  /// after which `state` on worker 0 is that before the step that failed.
  void run(const Observer& observer);

  /// Whether the step that `between_steps` follows is the last, because a worker was asked to stop.
  bool stopping() const noexcept { return stopping_; }

  /// Samples trained on, over all epochs.
  std::int64_t samples_done() const noexcept { return at_.epoch * train_.size() + samples_; }

  /// Copies, on the CPU, of all that must be saved to go on later as if never stopped: network,
  /// optimizer, method, place in the run, random numbers.
  std::map<std::string, torch::Tensor> state() const;
  /// Takes it back, before `run`, which then ends with the very bits of a run that was never
  /// stopped (on the same kind of machine, with as many threads).
  /// @throws FormatError if it is not that of such a run.
  void load(const std::map<std::string, torch::Tensor>& state);

 private:
  void start_epoch(std::int64_t epoch);
  void run_epoch(const Observer& observer);
  // @param batch  of this worker. @param samples  in the batches of all.
  void step(const Batch& batch, std::int64_t samples);
  // Adds the gradient of this worker's batch, of `samples` of all; sums over it come back.
  BatchLoss backward(const Batch& batch, std::int64_t samples);
  // Sums over the batches of all workers.
  BatchLoss reduce(const BatchLoss& own, std::int64_t own_samples, std::int64_t samples);
  void end_round(const Observer& observer);
  void report_round(const Observer& observer);
  void load_probe();
  void require_finite() const;
  Score test() const;

  Network& network_;
  const Batches& train_;
  const Batches& test_;
  TrainerOptions options_;
  Classification classification_;
  Task& task_;  // of the options, or else the one above
  Method* method_;
  std::unique_ptr<Optimizer> optimizer_;
  DataParallel parallel_;
  Rounds rounds_;
  Progress at_;
  std::optional<Residuals> residuals_;
  std::vector<Batch> probe_;  // made when it is first needed

  // Sums over the epoch so far, on the network's device.
  torch::Tensor loss_sum_;
  torch::Tensor miss_sum_;
  std::int64_t samples_ = 0;  // done in the epoch; where it goes on
  double seconds_ = 0.0;      // that the epoch took before it was stopped
  bool feasible_ = false;
  bool stopping_ = false;  // asked for, by whichever worker
};

}  // namespace lastbit
