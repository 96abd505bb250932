#pragma once

#include <chrono>
#include <cstdint>

#include "lastbit/train/ring.h"
#include "lastbit/train/worker_place.h"

namespace lastbit {

/// Waits for all workers of the run and joins them to a ring.
///
/// Worker 0 listens at the place's port. The others tell it their number and a port of their own,
/// and are told where the worker after them listens; worker 0 is reached by TCP alone, no file
/// system is shared. Connections of strangers, who do not begin as a worker does, are closed.
///
/// @param run      what all workers must agree on, as a checksum of their options.
/// @param timeout  for all to come, and later as Ring has it.
/// @throws WorkError naming the workers that did not come; InputError if one has another `run`.
Ring join_ring(const WorkerPlace& place, std::uint64_t run, std::chrono::milliseconds timeout);

}  // namespace lastbit
