#pragma once

#include <cstddef>

#include <c10/core/Allocator.h>

// The memory of the pretended device. A pointer into it is a host pointer with a bit that no user's
// address has: who reads it without a copy through LibTorch stops with a segmentation fault, as
// with a real device's.

namespace lastbit::pretend {

void* device_address(void* host) noexcept;
void* host_address(void* device) noexcept;

/// Memory of the device `index`, every byte of it 0xff at first: NaN in every float type.
c10::DataPtr allocate_on_device(std::size_t bytes, c10::DeviceIndex index);

/// Memory of the current device.
c10::Allocator* device_allocator();

/// Host memory that copies need not wait for.
c10::Allocator* pinned_allocator();
bool is_pinned(const void* host);

}  // namespace lastbit::pretend
