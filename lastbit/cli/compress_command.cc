#include <charconv>
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
#include "lastbit/cli/command_line.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/data_options.h"
#include "lastbit/cli/digest.h"
#include "lastbit/cli/json_text.h"
#include "lastbit/cli/method_options.h"
#include "lastbit/cli/progress.h"
#include "lastbit/cli/training.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/method/fixed_codes.h"

namespace lastbit {
namespace {

struct CompressChoice {
  std::string model;
  std::string run;
  std::string out;
  bool force = false;
  bool json = false;
  bool inline_decode = false;
  DataChoice data;
  TrainingChoice training;
  std::vector<std::string> codebooks = {"ternary"};
  MethodChoice method;
  std::string project_every = "100steps";
  std::int64_t finish_epochs = 1;
};

// "1epoch", "3epochs", "100steps"
RoundLength parse_round(const std::string& text) {
  std::int64_t count = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  const bool epochs = unit == "epoch" || unit == "epochs";
  if (error != std::errc{} || count <= 0 || (!epochs && unit != "step" && unit != "steps")) {
    throw InputError(
        cat("[project-every] '",
            text,
            "' is not a length, expected a number with its unit, as 1epoch or 100steps"));
  }
  return {.count = count, .epochs = epochs};
}

void add_options(CLI::App& app, CompressChoice& choice) {
  std::vector<std::string> sets_known;
  for (const SetInfo& info : known_sets()) sets_known.emplace_back(info.form);

  app.add_option("model,--model", choice.model, "The trained float model")
      ->required()
      ->type_name("FILE.onnx");
  add_data_options(app, choice.data);
  app.add_option(
         "--codebook",
         choice.codebooks,
         cat("SET for all layers or PATTERN=SET for some, the last match wins; SET is float or ",
             join(sets_known),
             ", with /tensor, /channel or /none for the scale"))
      ->take_all()
      ->type_name("RULE");
  app.add_option(
         "--run", choice.run, "Folder to write: config, log and models (default runs/MODEL-METHOD)")
      ->type_name("DIR");
  app.add_option("--out", choice.out, "Where to write the model (default RUN/compressed.onnx)")
      ->type_name("FILE.onnx");
  app.add_flag("--inline-decode",
               choice.inline_decode,
               "Write decoding as plain nodes, for tools that know no ONNX functions");
  app.add_flag("--force", choice.force, "Write over a run that is there already");
  app.add_flag("--json", choice.json, "Print the result as one JSON object");
  add_training_options(app, choice.training);
  app.add_option(
         "--project-every", choice.project_every, "Length of a round, as 1epoch or 100steps")
      ->type_name("LENGTH");
  app.add_option("--finish-epochs",
                 choice.finish_epochs,
                 "Epochs at the end with codes fixed, which tune scales and biases")
      ->check(CLI::Range(0, 1000000));
  add_method_options(app, choice.method);
}

// One compression: the network, its data and method, and the steps from float to file.
class Compression {
 public:
  Compression(CompressChoice& choice, const MethodInfo& info)
      : choice_(choice),
        info_(info),
        reference_(read_onnx(choice.model)),
        network_(
            reference_, choose_codebooks(reference_, choice.codebooks), device_of(choice.training)),
        method_(make_method(info, choice.method)) {
    if (!choice.data.name.empty()) {
      const Dataset data = open(choice.data);
      train_.emplace(data.train, network_.sample_shape(), network_.device());
      test_.emplace(data.test, network_.sample_shape(), network_.device());
      require_classes(network_, *test_);
    } else if (info_.trains) {
      throw InputError(
          cat("[compress] method '", info_.name, "' trains, expected --data with a data set"));
    }
    if (info_.trains) {
      trainer_.emplace(network_, *train_, *test_, choice.training.trainer, method_.get());
    }
  }

  const Graph& reference() const noexcept { return reference_; }

  /// Of the network as it stands; nothing where no data was given.
  std::optional<Score> test_score() {
    if (test_) return evaluate(network_, *test_);
    return std::nullopt;
  }

  void run(RunFolder& folder) {
    if (trainer_) {
      run_with_progress(*trainer_, choice_.training.trainer, train_->size(), "compress", folder);
    } else {
      const torch::NoGradGuard no_gradient;
      method_->begin(network_.constrained());
    }
    if (!trainer_ || choice_.finish_epochs == 0) return;
    TrainerOptions finish = choice_.training.trainer;
    finish.epochs = choice_.finish_epochs;
    // Small steps from where the main run ended: only scales, biases and norms are still to settle.
    finish.learning_rate = Schedule::cosine(finish.learning_rate.first() / 10.0);
    finish.seed += 1;
    auto fixed = make_fixed_codes(method_->deployed());
    Trainer finisher(network_, *train_, *test_, finish, fixed.get());
    run_with_progress(finisher, finish, train_->size(), "finish", folder);
    method_ = std::move(fixed);
  }

  // Puts the low-bit weights into the network for good: from here on, what is evaluated is what is
  // written.
  void settle() {
    torch::Tensor weights = network_.constrained().value;
    decode(network_.constrained_layers(), method_->deployed(), weights);
  }

  Graph trained() const { return network_.exported(); }
  Graph compressed() const { return network_.exported(method_->deployed()); }

 private:
  CompressChoice& choice_;
  const MethodInfo& info_;
  Graph reference_;
  Network network_;
  std::unique_ptr<Method> method_;
  std::optional<Batches> train_;
  std::optional<Batches> test_;
  std::optional<Trainer> trainer_;  // made before any work, so that wrong options are found
};

nlohmann::ordered_json result_of(const std::string& out,
                                 const CompressChoice& choice,
                                 const std::optional<Score>& before,
                                 const std::optional<Score>& after) {
  const auto bytes = std::filesystem::file_size(out);
  const auto reference_bytes = std::filesystem::file_size(choice.model);
  nlohmann::ordered_json result = {
      {"model", out},
      {"method", choice.method.name},
      {"codebook", choice.codebooks},
      {"bytes", bytes},
      {"reference_bytes", reference_bytes},
      {"ratio", static_cast<double>(reference_bytes) / static_cast<double>(bytes)}};
  if (before) result["reference"] = score_json(*before);
  if (after) result["test"] = score_json(*after);
  return result;
}

}  // namespace

int compress_command(int argc, char** argv) {
  CommandLine line(
      "lastbit compress",
      "Squeezes a trained network to one to three bits a weight and writes it as ONNX.\n"
      "Example: lastbit compress reference.onnx --data mnist --codebook ternary");
  CompressChoice choice;
  choice.training.learning_rate = "cosine:0.05";
  add_options(line.app(), choice);
  const MethodInfo* info = nullptr;
  const auto settle = [&] { info = &settle_method(line.app(), choice.method); };
  if (!line.parse(argc, argv, settle)) return 0;
  apply(choice.training);
  choice.training.trainer.round = parse_round(choice.project_every);
  if (choice.run.empty()) {
    choice.run =
        cat("runs/", std::filesystem::path(choice.model).stem().string(), "-", choice.method.name);
  }
  Compression compression(choice, *info);
  if (!choice.out.empty()) require_writable(choice.out);
  RunFolder folder(choice.run, line.config(), choice.force);
  const std::string out = choice.out.empty() ? folder.file("compressed.onnx").string() : choice.out;
  write_onnx(folder.file("reference.onnx"), compression.reference());

  const std::optional<Score> before = compression.test_score();
  if (before) std::cerr << "reference: test " << score_text(*before) << "\n";
  compression.run(folder);
  compression.settle();
  const std::optional<Score> after = compression.test_score();

  const Graph trained = compression.trained();
  Graph compressed = compression.compressed();
  compressed.metadata[kDigestKey] = weights_digest(trained);
  write_onnx(folder.file("trained.onnx"), trained);
  write_onnx(out, compressed, {.inline_decode = choice.inline_decode});

  const nlohmann::ordered_json result = result_of(out, choice, before, after);
  folder.write_result(result);
  if (choice.json) {
    std::cout << json_line(result);
  } else {
    std::cout << fmt::format("{}: {}, {:.1f} times smaller than {}{}\n",
                             out,
                             bytes_text(result["bytes"].get<double>()),
                             result["ratio"].get<double>(),
                             choice.model,
                             after ? "; test " + score_text(*after) : "");
  }
  return 0;
}

}  // namespace lastbit
