#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/command_line.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/data_options.h"
#include "lastbit/cli/network_options.h"
#include "lastbit/cli/progress.h"
#include "lastbit/cli/train/figures.h"
#include "lastbit/cli/train/job_runner.h"
#include "lastbit/cli/train/jobs.h"
#include "lastbit/cli/train/material.h"
#include "lastbit/cli/train/normalization.h"
#include "lastbit/cli/train/run_start.h"
#include "lastbit/cli/train/training.h"
#include "lastbit/cli/train/worker_run.h"
#include "lastbit/graph/onnx.h"

namespace lastbit {
namespace {

struct TrainChoice {
  std::string model;
  std::string run;
  std::string out;
  std::string normalize = "auto";
  bool force = false;
  bool json = false;
  DataChoice data;
  ZooOptions network;
  TrainingChoice training;
  CheckpointChoice checkpoint;
  WorkersChoice workers;
};

bool is_file(const std::string& model) { return model.ends_with(".onnx"); }

// The file to go on from.
Graph given_graph(const TrainChoice& choice) {
  if (choice.normalize == "auto") return read_onnx(choice.model);
  throw InputError(cat("[train] --normalize ",
                       choice.normalize,
                       " is given for ",
                       choice.model,
                       ", which takes its input as it was made to, expected an architecture"));
}

// A name of the zoo starts anew, as the data ask for.
Graph new_graph(const TrainChoice& choice, const CLI::App& app, const Material& data) {
  NewNetwork network{.architecture = choice.model,
                     .options = choice.network,
                     .normalize = choice.normalize,
                     .own_input = app.count("--input") > 0,
                     .own_classes = app.count("--classes") > 0};
  network.options.seed = choice.training.trainer.seed;
  return data.make(network, choice.training);
}

TrainChoice defaults() {
  TrainChoice choice;
  choice.training.learning_rate = "cosine:0.05";
  choice.training.trainer.optimizer.weight_decay = 5e-4;
  return choice;
}

void add_options(CLI::App& app, TrainChoice& choice) {
  app.add_option("model,--model",
                 choice.model,
                 "An architecture ('lastbit zoo' lists them) or an .onnx file to go on from")
      ->required()
      ->type_name("NAME|FILE");
  add_data_options(app, choice.data)->required();
  app.add_option(
         "--run", choice.run, "Folder to write: config, log and model (default runs/MODEL-DATA)")
      ->type_name("DIR");
  app.add_option("--out", choice.out, "Where to write the model (default RUN/reference.onnx)")
      ->type_name("FILE.onnx");
  app.add_flag("--force", choice.force, "Write over a run that is there already");
  add_checkpoint_options(app, choice.checkpoint);
  app.add_flag("--json", choice.json, "Print the result as one JSON object");
  add_training_options(app, choice.training, /*least_epochs=*/0);
  add_worker_options(app, choice.workers);
  add_network_options(app, choice.network);
  add_normalize_option(app, choice.normalize);
}

std::string default_run(const TrainChoice& choice) {
  const auto stem = [](const std::string& name) {
    return std::filesystem::path(name).stem().string();
  };
  return cat("runs/", file_name(cat(stem(choice.model), "-", stem(choice.data.name)), '-'));
}

}  // namespace

std::optional<JobResult> run_train(const std::vector<std::string>& arguments) {
  CommandLine line("lastbit train",
                   "Trains a network in float32: the reference that is compressed later.\n"
                   "Example: lastbit train lenet5 --data mnist --epochs 10 --run runs/lenet5");
  TrainChoice choice = defaults();
  add_options(line.app(), choice);
  const auto settle = [&] { settle_workers(line.app(), choice.workers); };
  if (!line.parse(arguments, settle)) return std::nullopt;
  if (run_in_workers(choice.workers, "train", arguments)) return std::nullopt;
  const auto workers = join_workers(choice.workers, line.config(), choice.training);
  const bool main = leads(workers.get());
  if (choice.run.empty()) {
    choice.run = default_run(choice);
  }
  std::optional<JobResult> finished;
  if (main) finished = finished_run(choice.run, line.config(), choice.checkpoint, choice.json);
  if (agreed(workers.get(), finished.has_value())) return finished;
  std::optional<Graph> given;
  if (is_file(choice.model)) given = given_graph(choice);
  const std::unique_ptr<Material> data = open_material(choice.data, given ? &*given : nullptr);
  const Graph graph = given ? *given : new_graph(choice, line.app(), *data);
  Network network(graph, {}, device_of(choice.training), data->values(graph));
  network.set_locked_dropout(choice.training.locked_dropout);
  const Workload workload = data->workload(graph, network, choice.training);
  const Batches& train = *workload.train;
  const Batches& test = *workload.test;
  choice.training.trainer.task = workload.task.get();
  // Of no epochs, what is written is the network as it starts.
  std::optional<Trainer> trainer;
  if (choice.training.trainer.epochs > 0) {
    trainer.emplace(network, train, test, choice.training.trainer);
  }

  if (!choice.out.empty() && main) require_writable(choice.out);
  std::optional<Checkpoint> from;
  RunFolder folder =
      open_run(choice.run, line.config(), choice.force, choice.checkpoint, from, workers.get());
  const std::string out = choice.out.empty() ? folder.file("reference.onnx").string() : choice.out;
  if (main) {
    std::cerr << fmt::format("training {} ({} parameters) on {}: {} samples, {} to test{}\n",
                             choice.model,
                             network.parameters().numel(),
                             data->name(),
                             train.size(),
                             test.size(),
                             workers ? cat(", ", workers->size(), " workers") : "");
  }
  Checkpoints checkpoints(folder, choice.checkpoint);
  Trained trained;
  if (from) {
    trained = from->trained;
    trainer.value().load(from->state);
  }
  if (trainer) {
    run_with_progress(
        *trainer, choice.training.trainer, train, "train", folder, checkpoints, trained);
  }

  if (main) write_onnx(out, network.exported());
  const Score score = workload.task->evaluate(network, test, workers.get());
  const Score train_score = workload.task->evaluate(network, train, workers.get());
  if (!main) return std::nullopt;
  const nlohmann::ordered_json result = {{"model", out},
                                         {"test", score_json(score)},
                                         {"train", score_json(train_score)},
                                         {"seed", choice.training.trainer.seed},
                                         {"epochs", choice.training.trainer.epochs},
                                         {"training_seconds", trained.seconds},
                                         {"bytes", std::filesystem::file_size(out)}};
  folder.write_result(result);
  log_skipped(workload, folder);
  checkpoints.remove();
  return JobResult{
      .json = result,
      .text = fmt::format("{}: test {}, {}",
                          out,
                          score_text(score),
                          bytes_text(static_cast<double>(std::filesystem::file_size(out)))),
      .as_json = choice.json};
}

int train_command(int argc, char** argv) {
  return exit_code_of([&] {
    if (const auto result = run_train({argv + 1, argv + argc})) print(*result);
  });
}

}  // namespace lastbit
