#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>

#include <CLI/CLI.hpp>
#include <torch/types.h>

#include "lastbit/cli/run_folder.h"

namespace lastbit {

/// What a run took.
struct Trained {
  double seconds = 0.0;  ///< of training, without the tests
  std::int64_t epochs = 0;
};

/// Where a run stands.
struct Checkpoint {
  std::string phase;  ///< "train", "compress" or "finish"
  Trained trained;    ///< in the phases before, and in the whole epochs of this one
  std::uintmax_t log_bytes = 0;
  std::map<std::string, torch::Tensor> state;  ///< on the CPU
};

/// How a run is saved, and whether it goes on from what an earlier one saved.
struct CheckpointChoice {
  double minutes = 10.0;  ///< between two checkpoints; 0: only where the run is interrupted
  bool resume = false;
};

void add_checkpoint_options(CLI::App& app, CheckpointChoice& choice);

/// Writes `checkpoint.safetensors` in a run's folder, whole or not at all.
void write_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint);

/// The checkpoint in `folder`; nothing if there is none. Removes what a killed writer left.
/// @throws FormatError if it is damaged.
std::optional<Checkpoint> read_checkpoint(const std::filesystem::path& folder);

/// The bytes of that file, which is there.
std::string checkpoint_bytes(const std::filesystem::path& folder);
/// The checkpoint that such bytes hold. @param where  the file's name, for messages.
Checkpoint parse_checkpoint(std::span<const std::byte> bytes, const std::string& where);

/// What `Checkpoints::keep` was given.
std::map<std::string, torch::Tensor> kept_state(const Checkpoint& checkpoint);

/// Saves a run every few minutes, and when it is interrupted.
class Checkpoints {
 public:
  Checkpoints(RunFolder& folder, const CheckpointChoice& choice)
      : folder_(folder), minutes_(choice.minutes) {}

  /// To be called between steps: whether it is time to save.
  bool due() const;
  /// @param trained  as Checkpoint has it.
  void save(const std::string& phase,
            const Trained& trained,
            std::map<std::string, torch::Tensor> state);
  /// Goes into every checkpoint from here on, with names that start with `main.`.
  void keep(const std::map<std::string, torch::Tensor>& state);
  /// The run is over; there is nothing to go on from.
  void remove() const;

 private:
  RunFolder& folder_;
  double minutes_;
  std::map<std::string, torch::Tensor> kept_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace lastbit
