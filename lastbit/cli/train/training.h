#pragma once

#include <filesystem>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>

#include "lastbit/cli/run_folder.h"
#include "lastbit/cli/train/checkpoint.h"
#include "lastbit/train/trainer.h"

namespace lastbit {

/// The options that every command with a training loop has.
struct TrainingChoice {
  TrainerOptions trainer;
  std::string learning_rate;
  int threads = 0;
  std::string device = "cpu";
  std::string precision = "float32";
  int device_index = -1;        ///< of several CUDA devices; -1: the first
  std::int64_t steps = 35;      ///< Of texts: tokens that are read, and learned from, at once.
  bool locked_dropout = false;  ///< Of texts: all steps of a sequence drop the same values.
  std::string augment = "auto";
  Augmentation augmentation;  ///< `augment`, once applied; of images with boxes, none.
  std::string rule = "11";    ///< Of a detector's average precision: "11" or "area".
};

/// Whether a text of --augment is for images with boxes alone.
bool changes_boxes(const std::string& augment);

/// @param least_epochs  0 where a run without training makes sense.
void add_training_options(CLI::App& app, TrainingChoice& choice, int least_epochs = 1);

/// `--device` and `--precision` alone.
void add_device_options(CLI::App& app, std::string& device, std::string& precision);

/// Turns text into options and sets up the process. @throws InputError for what cannot be read.
void apply(TrainingChoice& choice);

torch::Device device_of(const TrainingChoice& choice);

/// Runs the loop with a progress bar, a line and a log entry an epoch.
///
/// A method adds a log entry a round. Of several workers the first reports and saves; where it
/// loses another, it saves the run as it was before the step that failed.
///
/// @param phase    name of this part of the run in the log, as "compress".
/// @param trained  what was done before; this part is added.
void run_with_progress(Trainer& trainer,
                       const TrainerOptions& options,
                       const Batches& train,
                       const std::string& phase,
                       RunFolder& folder,
                       Checkpoints& checkpoints,
                       Trained& trained);

}  // namespace lastbit
