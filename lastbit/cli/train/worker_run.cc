#include "lastbit/cli/train/worker_run.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <span>

#include <torch/cuda.h>

#include "lastbit/base/checksum.h"
#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/base/threads.h"
#include "lastbit/cli/train/worker_processes.h"
#include "lastbit/train/rendezvous.h"
#include "lastbit/train/worker_place.h"

namespace lastbit {
namespace {

const char* variable(const char* name) { return std::getenv(name); }

std::optional<WorkerPlace> place_of(const WorkersChoice& choice) {
  std::optional<WorkerPlace> place = worker_place(variable);
  if (place && choice.count > 0 && choice.count != place->size) {
    throw InputError(cat("[workers] --workers says ",
                         choice.count,
                         " and the environment ",
                         place->size,
                         ", expected one of them"));
  }
  return place;
}

std::chrono::milliseconds timeout_of(const WorkersChoice& choice) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(choice.timeout * 1000.0));
}

void take_device(const WorkerPlace& place, TrainingChoice& training) {
  if (training.device != "cuda") return;
  const auto devices = static_cast<int>(torch::cuda::device_count());
  // srun --gpus-per-task lets each see its own alone.
  if (devices == 1) {
    training.device_index = 0;
    return;
  }
  // All workers of the machine find it, so that none waits for another.
  const int needed = std::max(place.local_size, place.local_rank + 1);
  if (needed > devices) {
    throw InputError(cat("[workers] ",
                         needed,
                         " workers on a machine with ",
                         devices,
                         " CUDA devices, expected one for each worker"));
  }
  training.device_index = place.local_rank;
}

}  // namespace

void add_worker_options(CLI::App& app, WorkersChoice& choice) {
  app.add_option("--workers",
                 choice.count,
                 "Processes on this machine that train together, each with --batch samples a step; "
                 "0: those that torchrun, mpirun or srun have started, if any (docs/scaling.md)")
      ->check(CLI::Range(0, 1024));
  app.add_option(
         "--timeout", choice.timeout, "Without an answer for so long, another worker is lost")
      ->check(CLI::Range(0.1, 1e6))
      ->type_name("SECONDS");
}

void settle_workers(CLI::App& app, const WorkersChoice& choice) {
  app.get_option("--workers")->configurable(choice.count > 0);
  app.get_option("--timeout")->configurable(choice.count > 0);
}

bool run_in_workers(const WorkersChoice& choice,
                    const std::string& command,
                    const std::vector<std::string>& arguments) {
  if (place_of(choice) || choice.count <= 1) return false;
  std::vector<std::string> words = {command};
  words.insert(words.end(), arguments.begin(), arguments.end());
  // They notice a loss within the timeout, and may then have a checkpoint to write.
  run_workers(choice.count, words, timeout_of(choice) + std::chrono::seconds(60));
  return true;
}

std::unique_ptr<Communicator> join_workers(const WorkersChoice& choice,
                                           const std::string& config,
                                           TrainingChoice& training) {
  const std::optional<WorkerPlace> place = place_of(choice);
  if (place && training.threads == 0) {
    training.threads = std::max(1, usable_processors() / place->local_size);
  }
  apply(training);
  if (!place) return nullptr;
  take_device(*place, training);
  auto workers = make_communicator(
      join_ring(*place, checksum(std::as_bytes(std::span(config))), timeout_of(choice)),
      device_of(training));
  training.trainer.workers = workers.get();
  training.trainer.batch *= place->size;
  return workers;
}

bool leads(const Communicator* workers) { return workers == nullptr || workers->rank() == 0; }

bool agreed(Communicator* workers, bool answer) {
  if (workers == nullptr) return answer;
  return broadcast(*workers, answer ? std::string("yes") : std::string("no")) == "yes";
}

int exit_code_of(const std::function<void()>& command) {
  try {
    command();
    return 0;
  } catch (const WorkersEnded& ended) {
    return ended.code;
  } catch (const LostWorker& error) {
    if (!leads_workers_of_this_machine()) throw;
    std::cerr << "lastbit: " << error.what() << std::endl;
    return kLostWorkerCode;
  }
}

}  // namespace lastbit
