#pragma once

#include <array>
#include <chrono>
#include <memory>

#include <torch/types.h>

#include "lastbit/train/cuda_driver.h"

namespace lastbit {

/// NCCL's own unique identifier of a group of devices.
struct NcclId {
  std::array<char, 128> bytes{};
};

/// NCCL's library, found when the program runs: its functions have stayed the same since version 2,
/// whereas c10d's wrapper of it exists in CUDA builds of LibTorch alone, needs headers that not all
/// of them ship, and has changed with most versions.
class NcclLibrary {
 public:
  /// Null where neither LibTorch has brought the library nor the system has it.
  static std::unique_ptr<NcclLibrary> load();

  NcclId unique_id() const;

 private:
  friend class Nccl;
  using Communicator = void*;

  void check(int result, const char* what) const;

  int (*get_unique_id_)(NcclId*) = nullptr;
  int (*init_rank_)(Communicator*, int, NcclId, int) = nullptr;
  int (*all_reduce_)(const void*, void*, std::size_t, int, int, Communicator, void*) = nullptr;
  int (*abort_)(Communicator) = nullptr;
  const char* (*error_text_)(int) = nullptr;
};

/// Sums over CUDA devices, one a worker.
class Nccl {
 public:
  /// Returns once all workers have called it. @throws WorkError with what NCCL says.
  Nccl(std::unique_ptr<NcclLibrary> library,
       std::unique_ptr<CudaDriver> driver,
       const NcclId& id,
       int rank,
       int size,
       torch::Device device,
       std::chrono::milliseconds timeout);
  Nccl(const Nccl&) = delete;
  Nccl& operator=(const Nccl&) = delete;
  ~Nccl();

  /// On a stream of its own, behind what LibTorch's default stream has to do so far; returns at
  /// once. @param tensor  contiguous, float32 or float64, on the device.
  void start(const torch::Tensor& tensor);
  /// Returns when all sums are there, so that a worker that is lost is noticed.
  /// @throws LostWorker if it takes longer than the timeout.
  void finish();
  /// Ends the sums that are under way; nothing works from there on.
  void abort() noexcept;

 private:
  std::unique_ptr<NcclLibrary> library_;
  CudaStream stream_;
  NcclLibrary::Communicator communicator_ = nullptr;
  torch::Device device_;
  std::chrono::milliseconds timeout_;
};

}  // namespace lastbit
