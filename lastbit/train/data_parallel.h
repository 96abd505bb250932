#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <torch/types.h>

#include "lastbit/train/communicator.h"
#include "lastbit/train/gradient_sum.h"
#include "lastbit/train/network.h"

namespace lastbit {

/// One worker's part in the steps of a Trainer.
///
/// Each batch is cut into one slice a worker; the gradients of the slices' mean losses, weighted by
/// their samples, sum to that of the batch. Every worker then takes the same step, so that
/// networks, optimizers and methods stay the same on all.
class DataParallel {
 public:
  /// @param workers  null for one that works alone. Else all get worker 0's network.
  DataParallel(Communicator* workers, Network& network);

  bool alone() const noexcept { return workers_ == nullptr; }
  int rank() const noexcept { return alone() ? 0 : workers_->rank(); }
  int size() const noexcept { return alone() ? 1 : workers_->size(); }

  /// Remembers what `restore` brings back, before a step changes it.
  void begin_step();
  /// What a step does that failed: the parameters and statistics from before.
  void restore();

  /// To be called before each backward pass: its gradients are summed while it goes on.
  void begin_backward();

  /// What is summed up over the batch beside the gradient.
  struct Sums {
    torch::Tensor loss;    ///< () float64, of the samples; on the network's device, as `misses`
    torch::Tensor misses;  ///< () float64, samples missed
    bool stop = false;     ///< whether any worker was asked to stop
  };
  /// Sums `own` over the workers, and what is left of the gradients; running statistics become
  /// their mean.
  /// @param share  of the batch's samples that this worker has, as which its statistics count.
  /// @throws LostWorker
  Sums reduce(const Sums& own, double share);

  /// @throws WorkError if the workers' parameters differ.
  void require_same(const std::string& where) const;

 private:
  Communicator* workers_;
  Network& network_;
  std::optional<GradientSum> gradient_;
  std::vector<torch::Tensor> statistics_;  // views of the network's
  std::vector<torch::Tensor> saved_;       // of the statistics and the parameters
};

/// A seed for worker `rank`'s dropout; worker 0's is `seed`.
std::uint64_t worker_seed(std::uint64_t seed, int rank) noexcept;

}  // namespace lastbit
