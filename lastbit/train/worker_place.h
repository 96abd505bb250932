#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace lastbit {

/// Which of the workers of a run this process is, and where they meet.
struct WorkerPlace {
  int rank = 0;
  int size = 1;
  int local_rank = 0;  ///< among those on this machine
  int local_size = 1;
  std::string address;     ///< of worker 0's machine
  std::uint16_t port = 0;  ///< where worker 0 listens
  int listener = -1;       ///< a descriptor that listens there already, or -1
};

/// Reads what torchrun, mpirun (Open MPI) or srun say in the environment; nothing where this
/// process was started by none of them, or as the only one.
///
/// @param variable  the value of an environment variable, or null.
/// @throws InputError if variables are missing, are no numbers, or contradict each other.
std::optional<WorkerPlace> worker_place(const std::function<const char*(const char*)>& variable);

}  // namespace lastbit
