#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace lastbit {

/// The processes that did a command's work have failed, and have said why.
struct WorkersEnded {
  int code;  ///< with which this process is to end
};

/// What worker 0 ends with, where these processes have started it, if it has lost another: that one
/// may have said why.
inline constexpr int kLostWorkerCode = 3;

/// Runs a command in `count` copies of this program that work together, as torchrun would start
/// them on one machine. Worker 0 has this program's output; what another says is told only if it
/// was the first to fail, and worker 0 knows no reason. Ctrl-C goes to all of them.
///
/// @param words  the command and its arguments.
/// @param patience  after a failure, before the others are killed.
/// @throws WorkersEnded if worker 0 failed; WorkError if a signal ended it.
void run_workers(int count,
                 const std::vector<std::string>& words,
                 std::chrono::milliseconds patience);

/// True in a worker that `run_workers` has started, and that has its output.
bool leads_workers_of_this_machine();

}  // namespace lastbit
