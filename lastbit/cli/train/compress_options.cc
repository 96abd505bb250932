#include "lastbit/cli/train/compress_options.h"

#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/command_line.h"
#include "lastbit/cli/network_options.h"

namespace lastbit {
namespace {

[[noreturn]] void refuse_length(const std::string& text) {
  throw InputError(
      cat("[project-every] '",
          text,
          "' is not a length, expected a number with its unit, as 1epoch or 100steps, or those of "
          "the first round and of the others, as 40epochs,20epochs, or one behind auto:, as "
          "auto:100steps"));
}

// "1epoch", "3epochs", "100steps"
RoundLength parse_length(std::string_view text, const std::string& whole) {
  std::int64_t count = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  const bool epochs = unit == "epoch" || unit == "epochs";
  if (error != std::errc{} || count <= 0 || (!epochs && unit != "step" && unit != "steps")) {
    refuse_length(whole);
  }
  return {.count = count, .epochs = epochs};
}

}  // namespace

RoundLength parse_round(const std::string& text) {
  constexpr std::string_view kAuto = "auto:";
  constexpr std::int64_t kLeast = 36;
  const std::string_view view = text;
  if (view.starts_with(kAuto)) {
    RoundLength longest = parse_length(view.substr(kAuto.size()), text);
    longest.least = kLeast;
    return longest;
  }
  const auto comma = text.find(',');
  if (comma == std::string::npos) return parse_length(text, text);
  const RoundLength first = parse_length(view.substr(0, comma), text);
  RoundLength others = parse_length(view.substr(comma + 1), text);
  if (first.epochs != others.epochs) refuse_length(text);
  others.first = first.count;
  return others;
}

void add_compress_options(CLI::App& app, CompressChoice& choice) {
  app.add_option("model,--model", choice.model, "The trained float model")
      ->required()
      ->type_name("FILE.onnx");
  add_data_options(app, choice.data);
  add_codebook_option(app, choice.codebooks);
  app.add_option("--share",
                 choice.shares,
                 "Layers that have one codebook, and its scale, in common, as 'fc*' or "
                 "'kernel:3x3'; may be repeated")
      ->take_all()
      ->type_name("PATTERN");
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
  add_checkpoint_options(app, choice.checkpoint);
  add_training_options(app, choice.training);
  add_worker_options(app, choice.workers);
  app.add_option("--project-every",
                 choice.project_every,
                 "Length of a round, as 1epoch or 100steps, or of the first and the others, as "
                 "40epochs,20epochs; auto:100steps is shorter where a run would have less than 36 "
                 "rounds")
      ->type_name("LENGTH");
  app.add_option("--feasible",
                 choice.training.trainer.feasible,
                 "End once the float weights are this near to the codebooks: ||w - z|| / ||w||; 0 "
                 "to run all epochs")
      ->check(number_from(0.0, 1.0));
  app.add_option("--probe",
                 choice.training.trainer.probe,
                 "Training samples on which each round measures the loss at float and low-bit "
                 "weights; 0 for none")
      ->check(CLI::Range(0, 1 << 20));
  app.add_option("--distill",
                 choice.distill,
                 "Share of the float reference's outputs in the loss (knowledge distillation)")
      ->check(number_from(0.0, 1.0));
  app.add_option("--temperature",
                 choice.training.trainer.distillation.temperature,
                 "Of the outputs that are distilled")
      ->check(number_from(0.01, 100.0));
  app.add_option(
         "--dropout",
         choice.dropout,
         "Share that training drops before each LSTM and GRU and before the last layer, for "
         "networks that have no dropout of their own; the file is without")
      ->check(number_from(0.0, 1.0));
  app.add_option("--finish-epochs",
                 choice.finish_epochs,
                 "Epochs at the end with codes fixed, which tune scales, biases and norms")
      ->check(CLI::Range(0, 1000000));
  add_method_options(app, choice.method);
}

}  // namespace lastbit
