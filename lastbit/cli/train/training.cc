#include "lastbit/cli/train/training.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <torch/cuda.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/interrupt.h"
#include "lastbit/cli/progress.h"
#include "lastbit/cli/train/figures.h"
#include "lastbit/train/startup.h"

namespace lastbit {
namespace {

std::string residual_text(const std::optional<Residuals>& residuals) {
  if (!residuals) return "";
  return fmt::format("  residual {:.4f}", residuals->primal);
}

// What an epoch's line tells of the method, beside the residual.
std::string round_text(const std::optional<Residuals>& residuals) {
  if (!residuals || residuals->penalty == 0.0) return "";
  return fmt::format(
      "  flipped {:.2f}%  penalty {:.3g}", 100.0 * residuals->flipped, residuals->penalty);
}

// The share of the time that the network waited for samples.
double waited_share(const EpochReport& report) {
  return report.seconds > 0.0 ? report.waited / report.seconds : 0.0;
}

// "  waited 0.8%" where it shows.
std::string waited_text(const EpochReport& report) {
  const double percent = 100.0 * waited_share(report);
  return percent < 0.05 ? "" : fmt::format("  waited {:.1f}%", percent);
}

nlohmann::ordered_json entry_of(const EpochReport& report, const std::string& phase) {
  nlohmann::ordered_json entry = {{"phase", phase},
                                  {"epoch", report.epoch},
                                  {"loss", report.loss},
                                  {"error", 100.0 * report.error},
                                  {"test_loss", report.test.loss},
                                  {"test_error", 100.0 * report.test.error},
                                  {"learning_rate", report.learning_rate},
                                  {"seconds", report.seconds},
                                  {"waited", 100.0 * waited_share(report)}};
  if (report.test.measure != Measure::kError) {
    const Figure figure = figure_of(report.test);
    entry[cat("test_", figure.key)] = figure.value;
  }
  if (report.residuals) {
    entry["primal_residual"] = report.residuals->primal;
    entry["dual_residual"] = report.residuals->dual;
    entry["flipped"] = report.residuals->flipped;
    entry["penalty"] = report.residuals->penalty;
  }
  return entry;
}

nlohmann::ordered_json entry_of(const RoundReport& report, const std::string& phase) {
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const LayerResiduals& layer : report.residuals.layers) {
    layers.push_back({{"layer", layer.name},
                      {"primal_residual", layer.primal},
                      {"dual_norm", layer.multiplier},
                      {"flipped", layer.flipped},
                      {"scale", layer.scale},
                      {"entropy", layer.entropy},
                      {"shares", layer.shares}});
  }
  nlohmann::ordered_json entry = {{"phase", phase},
                                  {"round", report.at.round + 1},
                                  {"step", report.at.step},
                                  {"penalty", report.residuals.penalty},
                                  {"primal_residual", report.residuals.primal},
                                  {"dual_residual", report.residuals.dual},
                                  {"flipped", report.residuals.flipped}};
  if (report.probed) {
    entry["loss_float"] = report.loss;
    entry["loss_low_bit"] = report.low_bit_loss;
  }
  entry["layers"] = std::move(layers);
  return entry;
}

// A worker that works and reports nothing.
void follow(Trainer& trainer, Trained& trained) {
  Observer observer;
  observer.stop = interrupted;
  observer.epoch = [&](const EpochReport& report) {
    trained.seconds += report.seconds;
    ++trained.epochs;
  };
  trainer.run(observer);
}

}  // namespace

bool changes_boxes(const std::string& augment) { return augment.starts_with("ssd"); }

void add_training_options(CLI::App& app, TrainingChoice& choice, int least_epochs) {
  TrainerOptions& trainer = choice.trainer;
  app.add_option("--epochs", trainer.epochs, "Passes over the training data")
      ->check(CLI::Range(least_epochs, 1000000));
  app.add_option("--batch", trainer.batch, "Samples a step, of each worker")
      ->check(CLI::Range(1, 1 << 20));
  app.add_option(
         "--learning-rate,--lr",
         choice.learning_rate,
         "0.05, 0.1..0.001 (over the run), 0.1*0.98 (an epoch), 0.1/10@80,120 (at epochs, or "
         "at shares of the run) or cosine:0.05")
      ->type_name("SCHEDULE");
  app.add_option("--optimizer", trainer.optimizer.name, "sgd or adam")->type_name("NAME");
  app.add_option("--momentum", trainer.optimizer.momentum, "Nesterov momentum of sgd; 0 for none");
  app.add_option("--weight-decay",
                 trainer.optimizer.weight_decay,
                 "L2 penalty on matrices and kernels, as its gradient's factor");
  app.add_option("--clip-gradient",
                 trainer.clip,
                 "Most length of the gradient of the loss, to which a longer one is cut; 0: any")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--steps",
                 choice.steps,
                 "Of texts: words or characters that are learned from at once; --batch is how many "
                 "pieces of the text are read side by side")
      ->check(CLI::Range(1, 1 << 20));
  app.add_flag("--locked-dropout",
               choice.locked_dropout,
               "Of texts: drop the same values in all steps (variational dropout)");
  app.add_option("--seed", trainer.seed, "Seed of all random choices")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--augment",
                 choice.augment,
                 "Random changes of training images: none, flip, pad4, reflect4, crop224 or "
                 "resized224, also with -flip; of images with boxes none, flip, ssd or ssd2. auto: "
                 "ssd for boxes, else none")
      ->type_name("WHAT");
  app.add_option("--rule",
                 choice.rule,
                 "How a detector's average precision is computed: 11, as VOC 2007, from eleven "
                 "recalls; area, as from VOC 2010 on")
      ->check(CLI::IsMember({"11", "area"}))
      ->type_name("11|area");
  app.add_option("--threads", choice.threads, "Threads; 0 takes all processors")
      ->check(CLI::Range(0, 1024));
  add_device_options(app, choice.device, choice.precision);
}

void add_device_options(CLI::App& app, std::string& device, std::string& precision) {
  app.add_option("--device", device, "cpu or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->type_name("NAME");
  app.add_option(
         "--precision", precision, "Of the products in training: float32, tf32 (CUDA) or bf16")
      ->check(CLI::IsMember({"float32", "tf32", "bf16"}))
      ->type_name("NAME");
}

void apply(TrainingChoice& choice) {
  choice.trainer.learning_rate = Schedule::parse(choice.learning_rate, "learning-rate");
  if (choice.device == "cuda" && !torch::cuda::is_available()) {
    throw InputError("[device] cuda was asked for, but this LibTorch finds no CUDA device");
  }
  if (choice.augment != "auto" && !changes_boxes(choice.augment)) {
    choice.augmentation = Augmentation::parse(choice.augment);
  }
  choice.trainer.precision = parse_precision(choice.precision);
  require_precision(choice.trainer.precision, torch::Device(choice.device));
  configure_process(choice.threads);
  catch_interrupts();
}

torch::Device device_of(const TrainingChoice& choice) {
  const torch::Device device(choice.device);
  return choice.device_index < 0
             ? device
             : torch::Device(device.type(), static_cast<c10::DeviceIndex>(choice.device_index));
}

void run_with_progress(Trainer& trainer,
                       const TrainerOptions& options,
                       const Batches& train,
                       const std::string& phase,
                       RunFolder& folder,
                       Checkpoints& checkpoints,
                       Trained& trained) {
  if (options.workers != nullptr && options.workers->rank() != 0) {
    follow(trainer, trained);
    return;
  }
  const Batches::Unit unit = train.unit();
  const std::int64_t epoch_units = train.size() * unit.each;
  ProgressBar bar(
      options.epochs * epoch_units, std::string(unit.name), trainer.samples_done() * unit.each);
  Observer observer;
  const auto save = [&](bool last) {
    checkpoints.save(phase, trained, trainer.state());
    if (last) bar.line(cat("saved; --resume goes on with ", folder.path().string()));
  };
  observer.between_steps = [&] {
    const bool last = options.workers == nullptr ? interrupted() : trainer.stopping();
    if (last || checkpoints.due()) save(last);
  };
  observer.stop = interrupted;
  observer.step = [&](const StepReport& report) {
    bar.update(report.at.epoch * epoch_units + report.samples * unit.each,
               fmt::format("{} epoch {}/{}  loss {:.4f}  {}{}",
                           phase,
                           report.at.epoch + 1,
                           options.epochs,
                           report.loss,
                           training_figure_text(report.measure, report.loss, report.error),
                           residual_text(report.residuals)));
  };
  observer.epoch = [&](const EpochReport& report) {
    bar.line(fmt::format("{} epoch {}/{}  loss {:.4f}  {}  test {}{}{}  {}  {:.0f} {}/s{}",
                         phase,
                         report.epoch,
                         options.epochs,
                         report.loss,
                         training_figure_text(report.test.measure, report.loss, report.error),
                         figure_text(report.test),
                         residual_text(report.residuals),
                         round_text(report.residuals),
                         duration_text(report.seconds),
                         static_cast<double>(epoch_units) / report.seconds,
                         unit.name,
                         waited_text(report)));
    folder.log(entry_of(report, phase));
    trained.seconds += report.seconds;
    ++trained.epochs;
    if (report.feasible) {
      bar.line(fmt::format("{}: the weights are feasible, the run ends here", phase));
    }
  };
  observer.round = [&](const RoundReport& report) {
    if (!report.residuals.layers.empty()) folder.log(entry_of(report, phase));
  };
  try {
    trainer.run(observer);
  } catch (const LostWorker&) {
    save(/*last=*/true);
    throw;
  }
}

}  // namespace lastbit
