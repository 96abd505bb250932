#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "lastbit/train/communicator.h"
#include "lastbit/train/network.h"

namespace torch::autograd {
struct Node;
}

namespace lastbit {

/// Sums the gradient of a network over its workers, part by part, while backward goes on.
///
/// A part's sum starts when all gradients in it are there and those of the parts before it have
/// started: on all workers in the same order. The parts never depend on time, so neither does a bit
/// of the sums.
class GradientSum {
 public:
  GradientSum(Communicator& workers, Network& network);
  GradientSum(const GradientSum&) = delete;
  GradientSum& operator=(const GradientSum&) = delete;
  ~GradientSum();

  /// To be called before each backward pass, whose gradients then count.
  void begin();
  /// Starts the sums that backward did not: of parameters without a gradient, of a worker without
  /// samples. All are done after `finish_sums` of the communicator.
  void start_rest();

 private:
  struct Part {
    torch::Tensor gradient;  // a view of the network's
    int leaves = 0;
    int missing = 0;  // of them, in this pass
  };
  class Hook;

  void accumulated(std::size_t part);

  Communicator& workers_;
  std::vector<Part> parts_;  // in the order of their starts
  std::size_t started_ = 0;
  bool counting_ = false;  // only the passes that were begun here count
  // Autograd's nodes that accumulate the gradients, each with the key of its hook. A leaf refers to
  // its node weakly.
  std::vector<std::pair<std::shared_ptr<torch::autograd::Node>, std::uintptr_t>> hooks_;
};

}  // namespace lastbit
