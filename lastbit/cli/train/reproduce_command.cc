#include <cmath>
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
#include "lastbit/cli/interrupt.h"
#include "lastbit/cli/json_text.h"
#include "lastbit/cli/table.h"
#include "lastbit/cli/train/experiments.h"
#include "lastbit/cli/train/job_runner.h"
#include "lastbit/cli/train/superresolution.h"

namespace lastbit {
namespace {

struct ReproduceChoice {
  std::string name;
  std::string run;
  std::string data = "mnist";
  std::string data_folder;
  std::int64_t seeds = 3;
  std::int64_t at_once = 1;
  int threads = 0;
  std::string device;     // empty: what train and compress take where nothing is said
  std::string precision;  // the same
  bool quick = false;
  bool force = false;
  bool json = false;
};

using Words = std::vector<std::string>;

void append(Words& words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
}

Words shared_options(const ReproduceChoice& choice) {
  Words result = {cat("--data=", choice.data), cat("--threads=", choice.threads)};
  if (!choice.data_folder.empty()) result.push_back(cat("--data-dir=", choice.data_folder));
  if (!choice.device.empty()) result.push_back(cat("--device=", choice.device));
  if (!choice.precision.empty()) result.push_back(cat("--precision=", choice.precision));
  return result;
}

// The figures of one setting over the seeds.
struct Figures {
  std::vector<double> test_error;   // percent
  std::vector<double> train_error;  // percent
  std::vector<double> log_loss;     // log10 of the mean cross-entropy in training
  std::vector<double> bits;

  void add(const nlohmann::json& result) {
    test_error.push_back(result.at("test").at("error").get<double>());
    train_error.push_back(result.at("train").at("error").get<double>());
    log_loss.push_back(std::log10(result.at("train").at("loss").get<double>()));
    if (result.contains("bit_ratio")) bits.push_back(result.at("bit_ratio").get<double>());
  }
};

class Report {
 public:
  /// @param published  whether the data are those of the published figures.
  Report(std::string experiment, bool published)
      : experiment_(std::move(experiment)), published_(published) {}

  void add(const std::string& setting,
           const std::string& metric,
           const std::optional<double>& published,
           const std::vector<double>& ours) {
    if (ours.empty()) return;
    const Statistics figures = statistics(ours);
    nlohmann::ordered_json row = {{"experiment", experiment_},
                                  {"setting", setting},
                                  {"metric", metric},
                                  {"published", nullptr},
                                  {"ours", figures.mean},
                                  {"sd", figures.deviation},
                                  {"seeds", ours.size()}};
    if (published && published_) row["published"] = *published;
    rows_.push_back(std::move(row));
  }

  void add(const std::string& setting,
           const Figures& figures,
           const std::optional<double>& error,
           const std::optional<double>& bits) {
    add(setting, "test error %", error, figures.test_error);
    add(setting, "train error %", {}, figures.train_error);
    add(setting, "log10 train loss", {}, figures.log_loss);
    add(setting, "ratio of bits", bits, figures.bits);
  }

  const nlohmann::ordered_json& rows() const noexcept { return rows_; }

  std::string text() const {
    Table table({"setting", "metric", "published", "ours", "sd"});
    for (const auto& row : rows_) {
      const bool ratio = row["metric"] == "ratio of bits";
      const auto number = [&](const nlohmann::ordered_json& value) {
        if (value.is_null()) return std::string("-");
        return fmt::format("{:.{}f}", value.get<double>(), ratio ? 1 : 2);
      };
      table.add({row["setting"].get<std::string>(),
                 row["metric"].get<std::string>(),
                 number(row["published"]),
                 number(row["ours"]),
                 number(row["sd"])});
    }
    return table.text();
  }

 private:
  std::string experiment_;
  bool published_;
  nlohmann::ordered_json rows_ = nlohmann::ordered_json::array();
};

Report reproduce(const Experiment& experiment, const ReproduceChoice& choice) {
  const auto runs = static_cast<std::int64_t>(experiment.settings.size() + 1) * choice.seeds;
  JobRunner runner({choice.run, choice.at_once, choice.force}, runs);
  std::vector<Job> references;
  for (std::int64_t seed = 0; seed < choice.seeds; ++seed) {
    Words train = {experiment.network};
    append(train, choice.quick ? experiment.quick_train : experiment.train);
    append(train, shared_options(choice));
    train.push_back(cat("--seed=", seed));
    references.push_back({cat("reference, seed ", seed), cat("reference-", seed), true, train});
  }
  std::vector<Job> jobs;
  for (const Setting& setting : experiment.settings) {
    for (std::int64_t seed = 0; seed < choice.seeds; ++seed) {
      Words compress = {runner.file(cat("reference-", seed, "/reference.onnx")).string()};
      append(compress, shared_options(choice));
      compress.push_back(cat("--seed=", seed));
      append(compress, choice.quick ? experiment.quick_compress : experiment.compress);
      append(compress, choice.quick ? setting.quick() : setting.compress);
      jobs.push_back({cat(setting.name, ", seed ", seed),
                      file_name(cat(setting.name, "-", seed)),
                      false,
                      compress});
    }
  }
  Figures reference;
  for (const nlohmann::json& result : runner.run(references)) reference.add(result);
  std::vector<Figures> figures(experiment.settings.size());
  std::size_t next = 0;
  for (const nlohmann::json& result : runner.run(jobs)) {
    figures[next++ / static_cast<std::size_t>(choice.seeds)].add(result);
  }
  Report report(experiment.name, choice.data == "mnist");
  report.add("float reference", reference, experiment.reference_error, {});
  for (std::size_t i = 0; i < experiment.settings.size(); ++i) {
    const Setting& setting = experiment.settings[i];
    report.add(setting.name, figures[i], setting.error, setting.bits);
  }
  return report;
}

Report reproduce_superresolution(const ReproduceChoice& choice) {
  if (!choice.device.empty() || !choice.precision.empty()) {
    throw InputError(
        "[reproduce] lc-superresolution solves its steps exactly, in float64 on the CPU, expected "
        "no --device and no --precision");
  }
  Report report("lc-superresolution", choice.data == "mnist");
  const std::vector<SuperResolutionResult> results =
      run_superresolution({.data = choice.data,
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
  app.add_option("--data", choice.data, "Data set, where not the published one");
  app.add_option("--data-dir", choice.data_folder, "Folder that holds data sets")->type_name("DIR");
  const CLI::Option* seeds =
      app.add_option("--seeds", choice.seeds, "Runs of each setting (with --quick 1)")
          ->check(CLI::Range(1, 1000));
  app.add_option("--run", choice.run, "Folder for all runs (default runs/NAME)")->type_name("DIR");
  app.add_option("--jobs", choice.at_once, "Runs at a time, each a process; give it --threads too")
      ->check(CLI::Range(1, 1024));
  app.add_option("--threads", choice.threads, "Threads; 0 takes all processors")
      ->check(CLI::Range(0, 1024));
  app.add_option("--device", choice.device, "cpu or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->type_name("NAME");
  app.add_option("--precision", choice.precision, "float32, tf32 or bf16, as of 'lastbit train'")
      ->check(CLI::IsMember({"float32", "tf32", "bf16"}))
      ->type_name("NAME");
  app.add_flag("--quick", choice.quick, "Reduced length: fewer epochs than published");
  app.add_flag("--force", choice.force, "Run again what was run with other options");
  app.add_flag("--json", choice.json, "Print rows as JSON");
  if (!line.parse(argc, argv)) return 0;
  if (choice.name.empty()) {
    list_experiments();
    return 0;
  }
  if (choice.quick && seeds->count() == 0) choice.seeds = 1;
  if (choice.run.empty()) choice.run = cat("runs/", choice.name, choice.quick ? "-quick" : "");
  catch_interrupts();
  const bool linear = choice.name == "lc-superresolution";
  const std::vector<Experiment> all = experiments();
  const Report report = linear ? reproduce_superresolution(choice)
                               : reproduce(*find_experiment(all, choice.name), choice);
  write_file(std::filesystem::path(choice.run) / "reproduce.json", json_line(report.rows()));
  std::cout << (choice.json ? json_line(report.rows()) : report.text());
  return 0;
}

}  // namespace lastbit
