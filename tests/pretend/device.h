#pragma once

#include <cstdint>

#include <c10/core/Device.h>

// A CUDA device that LibTorch without CUDA is told it has: its tensors lie where the host cannot
// read (memory.h), and its operators compute on the processor. With it the paths that a GPU takes
// are tested on a machine that has none: a tensor that was left on the other device, a pointer read
// from the wrong side, memory that was never written, copies and waits that a step should not have.
// It tells nothing of CUDA's own kernels, of their speed or of NCCL.

namespace lastbit::pretend {

/// From LASTBIT_PRETENDED_DEVICES, 2 without it.
c10::DeviceIndex device_count() noexcept;

/// Of this thread.
c10::DeviceIndex current_device() noexcept;

/// What the device was asked for since the last reset(), by all threads.
struct Counts {
  std::int64_t launches = 0;  ///< operators other than views, allocations and copies
  std::int64_t bytes_to_host = 0;
  std::int64_t bytes_to_device = 0;
  std::int64_t waits = 0;  ///< reads of a number, copies that block, sizes that depend on values
};

Counts counts() noexcept;
void reset_counts() noexcept;

}  // namespace lastbit::pretend
