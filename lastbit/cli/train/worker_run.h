#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "lastbit/cli/train/training.h"
#include "lastbit/train/communicator.h"

namespace lastbit {

/// How many processes train one network together.
struct WorkersChoice {
  int count = 0;          ///< on this machine; 0: as many as the environment says, else one
  double timeout = 60.0;  ///< seconds
};

void add_worker_options(CLI::App& app, WorkersChoice& choice);

/// Saved configurations are to be those of one process, where it works alone.
void settle_workers(CLI::App& app, const WorkersChoice& choice);

/// Runs the command in processes of their own, where `--workers` asks for it and this is none of
/// them yet. @return true if that was done: there is nothing left to do.
/// @throws InputError if the environment has another number; else as `run_workers`.
bool run_in_workers(const WorkersChoice& choice,
                    const std::string& command,
                    const std::vector<std::string>& arguments);

/// Sets up this process by `apply`, and joins the other workers of its run, where the environment
/// says that there are some: their number multiplies the batch, those on this machine divide its
/// processors, and each takes a CUDA device of its own.
/// @param config  the options in force, on which all must agree.
/// @return null for one that works alone.
std::unique_ptr<Communicator> join_workers(const WorkersChoice& choice,
                                           const std::string& config,
                                           TrainingChoice& training);

/// True for one that works alone, and for worker 0, which reports and writes files.
bool leads(const Communicator* workers);

/// Worker 0's answer on all.
bool agreed(Communicator* workers, bool answer);

/// Runs a command of a program; its exit code.
int exit_code_of(const std::function<void()>& command);

}  // namespace lastbit
