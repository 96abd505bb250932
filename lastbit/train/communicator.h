#pragma once

#include <memory>
#include <string>

#include <torch/types.h>

#include "lastbit/train/ring.h"

namespace lastbit {

class Network;

/// The workers that train one network together: sums and copies of tensors over all of them.
///
/// All call the same functions in the same order with tensors of one type and size. A worker that
/// ends or does not answer makes every function throw LostWorker on the others.
class Communicator {
 public:
  virtual ~Communicator() = default;

  /// This worker's number, 0 for the one that reports and writes files.
  virtual int rank() const noexcept = 0;
  virtual int size() const noexcept = 0;

  /// Each element becomes its sum over the workers, with the same bits on all.
  /// @param tensor  contiguous, float32 or float64.
  virtual void sum(torch::Tensor tensor) = 0;
  /// The same beside what the caller goes on with: returns at once, and is done after
  /// `finish_sums`. Until then nothing may touch the tensor, and of this class nothing be called
  /// but `start_sum` and `sum`, which comes after those that were started.
  virtual void start_sum(torch::Tensor tensor) = 0;
  /// Waits for all sums that were started.
  virtual void finish_sums() = 0;
  /// What worker 0 holds becomes what all hold. @param tensor  contiguous, on the CPU.
  virtual void broadcast(torch::Tensor tensor) = 0;
};

/// Tensors on the CPU travel through the ring. Those on CUDA devices are summed by NCCL where its
/// library is found on all workers, else they are copied to the CPU and back.
/// @param device  where the network is.
std::unique_ptr<Communicator> make_communicator(Ring ring, torch::Device device);

/// Worker 0's text on all.
std::string broadcast(Communicator& workers, const std::string& text);

/// Parameters and statistics of worker 0's network on all.
void broadcast(Communicator& workers, Network& network);

/// @param where  for the message. @throws WorkError on all workers if the bits of `tensor` differ.
void require_same(Communicator& workers, const torch::Tensor& tensor, const std::string& where);

}  // namespace lastbit
