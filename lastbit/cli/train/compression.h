#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lastbit/cli/data_options.h"
#include "lastbit/cli/run_folder.h"
#include "lastbit/cli/train/material.h"
#include "lastbit/cli/train/method_options.h"
#include "lastbit/cli/train/training.h"
#include "lastbit/cli/train/worker_run.h"
#include "lastbit/graph/dropout.h"
#include "lastbit/train/trainer.h"

namespace lastbit {

/// All that one compression is told.
struct CompressChoice {
  std::string model;
  std::string run;
  std::string out;
  bool force = false;
  bool json = false;
  bool inline_decode = false;
  DataChoice data;
  TrainingChoice training;
  CheckpointChoice checkpoint;
  WorkersChoice workers;
  std::vector<std::string> codebooks = {"ternary"};
  std::vector<std::string> shares;
  MethodChoice method;
  std::string project_every = "auto:100steps";
  std::int64_t finish_epochs = 1;
  double distill = 0.0;  ///< the teacher's share in the loss; 0 for no teacher
  float dropout = 0.0F;  ///< added to what the network has of its own
};

/// The steps from a float network to a low-bit one: the network, its data, its method.
class Compression {
 public:
  /// Finds wrong options before any work. @throws InputError
  Compression(CompressChoice& choice, const MethodInfo& info);

  const Graph& reference() const noexcept { return reference_; }

  /// Of the network as it stands; nothing where no data was given.
  std::optional<Score> test_score();
  /// The same on the training samples.
  std::optional<Score> train_score();

  /// @param from  where to go on; null for a run from its start.
  void run(RunFolder& folder, Checkpoints& checkpoints, const Checkpoint* from);

  /// Puts the low-bit weights into the network for good: from here on, what is evaluated is what is
  /// written.
  void settle();

  Graph trained() const { return without_added_dropout(network_.exported()); }
  Graph compressed() const { return without_added_dropout(network_.exported(method_->deployed())); }
  const std::vector<Quantized>& deployed() const noexcept { return method_->deployed(); }

  /// What training took, the finish included.
  const Trained& trained_for() const noexcept { return trained_; }

 private:
  Communicator* workers() const noexcept { return choice_.training.trainer.workers; }
  void finish(RunFolder& folder, Checkpoints& checkpoints, const Checkpoint* from);
  void estimate_batch_norm();

  CompressChoice& choice_;
  const MethodInfo& info_;
  Graph reference_;
  std::unique_ptr<Material> material_;  // null without data
  Network network_;
  std::unique_ptr<Network> teacher_;
  std::unique_ptr<Method> method_;
  std::optional<Workload> data_;
  std::optional<Trainer> trainer_;  // made before any work, so that wrong options are found
  Trained trained_;
};

}  // namespace lastbit
