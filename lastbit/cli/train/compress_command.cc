#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/bit_ratio.h"
#include "lastbit/cli/command_line.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/digest.h"
#include "lastbit/cli/progress.h"
#include "lastbit/cli/train/compress_options.h"
#include "lastbit/cli/train/compression.h"
#include "lastbit/cli/train/figures.h"
#include "lastbit/cli/train/jobs.h"
#include "lastbit/cli/train/run_start.h"
#include "lastbit/cli/train/worker_run.h"
#include "lastbit/graph/onnx.h"

namespace lastbit {
namespace {

nlohmann::ordered_json result_of(const std::string& out,
                                 const CompressChoice& choice,
                                 const std::optional<Score>& before) {
  const auto bytes = std::filesystem::file_size(out);
  const auto reference_bytes = std::filesystem::file_size(choice.model);
  nlohmann::ordered_json result = {
      {"model", out},
      {"method", choice.method.name},
      {"codebook", choice.codebooks},
      {"seed", choice.training.trainer.seed},
      {"epochs", choice.training.trainer.epochs},
      {"bytes", bytes},
      {"reference_bytes", reference_bytes},
      {"ratio", static_cast<double>(reference_bytes) / static_cast<double>(bytes)}};
  if (before) result["reference"] = score_json(*before);
  return result;
}

}  // namespace

std::optional<JobResult> run_compress(const std::vector<std::string>& arguments) {
  CommandLine line(
      "lastbit compress",
      "Squeezes a trained network to one to three bits a weight and writes it as ONNX.\n"
      "Example: lastbit compress reference.onnx --data mnist --codebook ternary");
  CompressChoice choice;
  choice.training.learning_rate = "cosine:0.05";
  add_compress_options(line.app(), choice);
  const MethodInfo* info = nullptr;
  const auto settle = [&] {
    info = &settle_method(line.app(), choice.method);
    line.app().get_option("--temperature")->configurable(choice.distill != 0.0);
    settle_workers(line.app(), choice.workers);
  };
  if (!line.parse(arguments, settle)) return std::nullopt;
  if (choice.distill == 0.0 && line.app().count("--temperature") > 0) {
    throw InputError("[temperature] is for outputs that are distilled, expected --distill with it");
  }
  // A saved configuration without a pattern holds an empty one.
  std::erase(choice.shares, "");
  if (run_in_workers(choice.workers, "compress", arguments)) return std::nullopt;
  const auto workers = join_workers(choice.workers, line.config(), choice.training);
  const bool main = leads(workers.get());
  choice.training.trainer.round = parse_round(choice.project_every);
  if (choice.run.empty()) {
    choice.run =
        cat("runs/", std::filesystem::path(choice.model).stem().string(), "-", choice.method.name);
  }
  std::optional<JobResult> finished;
  if (main) finished = finished_run(choice.run, line.config(), choice.checkpoint, choice.json);
  if (agreed(workers.get(), finished.has_value())) return finished;
  Compression compression(choice, *info);
  if (!choice.out.empty() && main) require_writable(choice.out);
  std::optional<Checkpoint> from;
  RunFolder folder =
      open_run(choice.run, line.config(), choice.force, choice.checkpoint, from, workers.get());
  Checkpoints checkpoints(folder, choice.checkpoint);
  const std::string out = choice.out.empty() ? folder.file("compressed.onnx").string() : choice.out;
  if (main) write_onnx(folder.file("reference.onnx"), compression.reference());

  const std::optional<Score> before = compression.test_score();
  if (before && main) std::cerr << "reference: test " << score_text(*before) << "\n";
  compression.run(folder, checkpoints, from ? &*from : nullptr);
  compression.settle();
  const std::optional<Score> after = compression.test_score();
  const std::optional<Score> after_on_train = compression.train_score();
  if (!main) return std::nullopt;

  const Graph trained = compression.trained();
  Graph compressed = compression.compressed();
  compressed.metadata[kDigestKey] = weights_digest(trained);
  write_onnx(folder.file("trained.onnx"), trained);
  write_onnx(out, compressed, {.inline_decode = choice.inline_decode});

  nlohmann::ordered_json result = result_of(out, choice, before);
  result["bit_ratio"] = bit_ratio(compressed);
  if (after) result["test"] = score_json(*after);
  if (after_on_train) result["train"] = score_json(*after_on_train);
  result["training_seconds"] = compression.trained_for().seconds;
  result["epochs_trained"] = compression.trained_for().epochs;
  folder.write_result(result);
  checkpoints.remove();
  return JobResult{.json = result,
                   .text = fmt::format("{}: {}, {:.1f} times smaller than {}{}",
                                       out,
                                       bytes_text(result["bytes"].get<double>()),
                                       result["ratio"].get<double>(),
                                       choice.model,
                                       after ? "; test " + score_text(*after) : ""),
                   .as_json = choice.json};
}

int compress_command(int argc, char** argv) {
  return exit_code_of([&] {
    if (const auto result = run_compress({argv + 1, argv + argc})) print(*result);
  });
}

}  // namespace lastbit
