#include <iostream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/command_line.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/interrupt.h"
#include "lastbit/cli/json_text.h"
#include "lastbit/cli/train/experiments.h"
#include "lastbit/cli/train/reproduce_report.h"
#include "lastbit/cli/train/reproduction.h"
#include "lastbit/cli/train/superresolution.h"
#include "lastbit/cli/train/training.h"

namespace lastbit {
namespace {

ReproduceReport reproduce_superresolution(const ReproduceChoice& choice) {
  const std::string data = choice.data.empty() ? "mnist" : choice.data;
  ReproduceReport report("lc-superresolution", data == "mnist");
  const std::vector<SuperResolutionResult> results =
      run_superresolution({.data = data,
                           .data_folder = choice.data_folder,
                           .seeds = choice.seeds,
                           .threads = choice.threads});
  for (const SuperResolutionResult& result : results) {
    report.add(result.setting, "training loss", {}, result.loss);
    report.add(result.setting, "test loss", {}, result.test_loss);
  }
  return report;
}

void list_experiments() {
  for (const Experiment& experiment : experiments()) {
    std::cout << fmt::format("{:<22} {}\n", experiment.name, experiment.summary);
  }
  std::cout << fmt::format("{:<22} {}\n", "lc-superresolution", kSuperResolutionSummary);
}

// Those of runs of networks.
void refuse_idle_options(const CLI::App& app) {
  for (const char* name :
       {"--nets", "--only", "--reference", "--device", "--precision", "--epochs", "--finished"}) {
    if (app.count(name) == 0) continue;
    throw InputError(
        cat("[reproduce] lc-superresolution trains no network, expected no ", name, " with it"));
  }
}

const Experiment* find_experiment(const std::vector<Experiment>& all, const std::string& name) {
  std::vector<std::string> known;
  for (const Experiment& experiment : all) {
    if (experiment.name == name) return &experiment;
    known.push_back(experiment.name);
  }
  known.emplace_back("lc-superresolution");
  throw InputError(cat("[reproduce] '", name, "' is not known, expected one of: ", join(known)));
}

}  // namespace

int reproduce_command(int argc, char** argv) {
  CommandLine line("lastbit reproduce",
                   "Runs a published experiment with its own settings and prints our figures "
                   "beside the published ones.\nCalled again, it goes on where it stopped.\n"
                   "Example: lastbit reproduce lc-lenet300 --seeds 3");
  ReproduceChoice choice;
  CLI::App& app = line.app();
  app.add_option("name,--name", choice.name, "Experiment to run; none lists them")
      ->type_name("NAME");
  app.add_option("--data", choice.data, "Data set, where not the published one")->type_name("NAME");
  app.add_option("--data-dir", choice.data_folder, "Folder that holds data sets")->type_name("DIR");
  app.add_option("--nets", choice.networks, "Networks to run, where it has several")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAME,...");
  app.add_option("--only",
                 choice.only,
                 "Settings to run, as 'parq*'; may be repeated, and names are those of the table")
      ->take_all()
      ->allow_extra_args(false)
      ->type_name("PATTERN");
  app.add_option("--reference",
                 choice.references,
                 "A trained network to start from, in place of training one; may be repeated")
      ->take_all()
      ->allow_extra_args(false)
      ->type_name("NETWORK=FILE.onnx");
  const CLI::Option* seeds =
      app.add_option("--seeds", choice.seeds, "Runs of each setting (with --quick 1)")
          ->check(CLI::Range(1, 1000));
  app.add_option("--run", choice.run, "Folder for all runs (default runs/NAME)")->type_name("DIR");
  app.add_option("--jobs", choice.at_once, "Runs at a time, each a process; give it --threads too")
      ->check(CLI::Range(1, 1024));
  app.add_option("--threads", choice.threads, "Threads; 0 takes all processors")
      ->check(CLI::Range(0, 1024));
  add_device_options(app, choice.device, choice.precision);
  app.add_flag("--quick", choice.quick, "Reduced length: fewer epochs than published");
  app.add_option("--epochs", choice.epochs, "Epochs of each run at reduced length; implies --quick")
      ->check(CLI::Range(1, 1000000));
  app.add_flag("--finished", choice.finished, "Run nothing: print the rows of what is finished");
  app.add_flag("--force", choice.force, "Run again what was run with other options");
  app.add_flag("--json", choice.json, "Print rows as JSON");
  if (!line.parse(argc, argv)) return 0;
  if (choice.name.empty()) {
    list_experiments();
    return 0;
  }
  choice.quick = choice.quick || choice.epochs != 0;
  if (choice.quick && seeds->count() == 0) choice.seeds = 1;
  if (choice.run.empty()) choice.run = cat("runs/", choice.name, choice.quick ? "-quick" : "");
  catch_interrupts();
  const bool linear = choice.name == "lc-superresolution";
  if (linear) refuse_idle_options(app);
  const std::vector<Experiment> all = experiments();
  const ReproduceReport report = linear ? reproduce_superresolution(choice)
                                        : reproduce(*find_experiment(all, choice.name), choice);
  write_file(std::filesystem::path(choice.run) / "reproduce.json", json_line(report.rows()));
  std::cout << (choice.json ? json_line(report.rows()) : report.text());
  return 0;
}

}  // namespace lastbit
