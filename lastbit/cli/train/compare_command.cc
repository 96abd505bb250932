#include <algorithm>
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
#include "lastbit/cli/train/compress_options.h"
#include "lastbit/cli/train/contestants.h"
#include "lastbit/cli/train/figures.h"
#include "lastbit/cli/train/job_runner.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/train/network.h"

namespace lastbit {
namespace {

struct Row {
  std::string method;
  std::string codebook;
  std::string figure;  // its key in JSON
  std::string title;   // its name in tables
  std::vector<double> figures;
  std::vector<double> losses;   // nats
  std::vector<double> seconds;  // of training
  std::vector<double> float_seconds;
  std::int64_t bytes = 0;
  double ratio = 0.0;
};

struct CompareChoice {
  CompressChoice common;
  std::vector<std::string> methods;
  std::vector<std::string> codebooks = {"ternary"};
  std::int64_t seeds = 1;
  std::int64_t at_once = 1;
  bool csv = false;
};

void add_options(CLI::App& app, CompareChoice& choice) {
  add_compress_options(app, choice.common);
  for (const char* name : {"--codebook",
                           "--method",
                           "--out",
                           "--seed",
                           "--inline-decode",
                           "--force",
                           "--run",
                           "--json"}) {
    app.remove_option(app.get_option(name));
  }
  app.add_option("--methods",
                 choice.methods,
                 "Methods to compare, each with options of its own where wanted: "
                 "admm,lc,admm:extragradient=true")
      ->delimiter(',')
      ->required()
      ->type_name("NAME,...");
  app.add_option("--codebooks", choice.codebooks, "Codebooks to compare them on: ternary,shift:2")
      ->type_name("SET,...");
  app.add_option("--seeds", choice.seeds, "Runs of each, with seeds 0, 1, ...")
      ->check(CLI::Range(1, 1000));
  app.add_option("--jobs", choice.at_once, "Runs at a time, each a process; give it --threads too")
      ->check(CLI::Range(1, 1024));
  app.add_option("--run", choice.common.run, "Folder for all runs; runs found finished are kept")
      ->default_str("runs/compare")
      ->type_name("DIR");
  app.add_flag("--force", choice.common.force, "Run again what was run with other options");
  CLI::Option* json =
      app.add_flag("--json", choice.common.json, "Print JSON in place of the table");
  app.add_flag("--csv", choice.csv, "Print CSV in place of the table")->excludes(json);
}

bool is_own(const std::string& name) {
  for (const char* own : {"methods",
                          "codebooks",
                          "seeds",
                          "jobs",
                          "run",
                          "force",
                          "json",
                          "csv",
                          "help",
                          "config",
                          "save-config",
                          "model"}) {
    if (name == own) return true;
  }
  return false;
}

bool is_of_a_method(const std::string& name) {
  return std::any_of(methods().begin(), methods().end(), [&](const MethodInfo& method) {
    return has_option(method, name);
  });
}

std::string name_of(const CLI::Option* option) {
  return option->get_lnames().empty() ? "" : option->get_lnames().front();
}

// An option that would be given to no run at all.
void refuse_idle_options(const CLI::App& app, const std::vector<Contestant>& contestants) {
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = name_of(option);
    if (option->count() == 0 || !is_of_a_method(name)) continue;
    const bool used =
        std::any_of(contestants.begin(), contestants.end(), [&](const Contestant& contestant) {
          return has_option(*contestant.info, name);
        });
    if (used) continue;
    throw InputError(cat("[compare] none of the methods compared has an option '", name, "'"));
  }
}

// The options typed that are for every run, but for those that the contestant sets itself; those of
// methods go to the methods that have them.
std::vector<std::string> typed_options(const CLI::App& app, const Contestant& contestant) {
  std::vector<std::string> result;
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = name_of(option);
    if (name.empty() || option->count() == 0 || is_own(name) || contestant.sets(name)) continue;
    if (is_of_a_method(name) && !has_option(*contestant.info, name)) continue;
    for (const std::string& value : option->reduced_results()) {
      result.push_back(cat("--", name, "=", value));
    }
  }
  return result;
}

std::vector<std::string> float_arguments(const CompareChoice& choice, const CLI::App& app) {
  std::vector<std::string> result = {choice.common.model};
  for (const char* name :
       {"--data", "--data-dir", "--batch", "--threads", "--device", "--precision"}) {
    const CLI::Option* option = app.get_option(name);
    if (option->count() > 0) result.push_back(cat(name, "=", option->as<std::string>()));
  }
  result.insert(result.end(), {"--epochs=1", "--learning-rate=1e-6"});
  return result;
}

// An epoch in float, for its time, and then one job for each contestant, codebook and seed.
std::vector<Row> compare(const CompareChoice& choice, const CLI::App& app) {
  const std::vector<Contestant> contestants = parse_contestants(choice.methods);
  const std::vector<std::string> codebooks = parse_codebooks(choice.codebooks);
  refuse_idle_options(app, contestants);
  // What is wrong is better known before the first of many runs.
  const Network network(read_onnx(choice.common.model), {});
  for (const Contestant& contestant : contestants) {
    for (const std::string& codebook : codebooks) require_fit(contestant, codebook);
  }

  std::vector<Job> jobs;
  for (const std::string& codebook : codebooks) {
    for (const Contestant& contestant : contestants) {
      for (std::int64_t seed = 0; seed < choice.seeds; ++seed) {
        std::vector<std::string> arguments = {choice.common.model};
        for (const std::string& option : typed_options(app, contestant)) {
          arguments.push_back(option);
        }
        arguments.insert(arguments.end(),
                         {cat("--method=", contestant.info->name),
                          cat("--codebook=", codebook),
                          cat("--seed=", seed)});
        arguments.insert(arguments.end(), contestant.options.begin(), contestant.options.end());
        jobs.push_back({cat(contestant.text, ", ", codebook, ", seed ", seed),
                        file_name(cat(contestant.text, "-", codebook, "-", seed)),
                        false,
                        arguments});
      }
    }
  }
  JobRunner runner({choice.common.run, choice.at_once, choice.common.force},
                   static_cast<std::int64_t>(jobs.size()) + 1);
  const double float_epoch =
      runner.run({{"an epoch in float, for its time", "float", true, float_arguments(choice, app)}})
          .at(0)
          .at("training_seconds")
          .get<double>();
  const std::vector<nlohmann::json> results = runner.run(jobs);

  std::vector<Row> rows;
  std::size_t next = 0;
  for (const std::string& codebook : codebooks) {
    for (const Contestant& contestant : contestants) {
      Row& row = rows.emplace_back();
      row.method = contestant.text;
      row.codebook = codebook;
      for (std::int64_t seed = 0; seed < choice.seeds; ++seed) {
        const nlohmann::json& result = results[next++];
        const Figure figure = figure_in(result.at("test"));
        row.figures.push_back(figure.value);
        row.figure = figure.key;
        row.title = figure.text;
        row.losses.push_back(result.at("test").at("loss").get<double>());
        row.seconds.push_back(result.at("training_seconds").get<double>());
        row.float_seconds.push_back(
            float_epoch * result.value("epochs_trained", result.at("epochs").get<double>()));
        row.bytes = result.at("bytes").get<std::int64_t>();
        row.ratio = result.at("ratio").get<double>();
      }
    }
  }
  return rows;
}

double time_ratio(const Row& row) {
  const double seconds = statistics(row.seconds).mean;
  return seconds > 0.0 ? seconds / statistics(row.float_seconds).mean : 0.0;
}

std::string table_text(const std::vector<Row>& rows) {
  Table table({"method", "codebook", rows.front().title, "loss", "bytes", "smaller", "time"});
  for (const Row& row : rows) {
    table.add({row.method,
               row.codebook,
               statistics_text(row.figures, 2),
               statistics_text(row.losses, 4),
               fmt::format("{}", row.bytes),
               fmt::format("{:.1f}x", row.ratio),
               row.seconds.front() > 0.0 ? fmt::format("{:.2f}x", time_ratio(row)) : "-"});
  }
  return table.text() + rows.front().figure +
         ", loss: on the test part, mean ± standard deviation over the seeds; smaller: than "
         "the float file;\ntime: training with the method over as many float epochs\n";
}

std::string csv_text(const std::vector<Row>& rows) {
  std::string result =
      fmt::format("method,codebook,seeds,{0},{0}_sd,loss,loss_sd,bytes,ratio,seconds,time_ratio\n",
                  rows.front().figure);
  for (const Row& row : rows) {
    const Statistics figure = statistics(row.figures);
    const Statistics loss = statistics(row.losses);
    result += fmt::format("{},\"{}\",{},{},{},{},{},{},{},{},{}\n",
                          row.method,
                          row.codebook,
                          row.figures.size(),
                          figure.mean,
                          figure.deviation,
                          loss.mean,
                          loss.deviation,
                          row.bytes,
                          row.ratio,
                          statistics(row.seconds).mean,
                          time_ratio(row));
  }
  return result;
}

nlohmann::ordered_json json_of(const std::vector<Row>& rows) {
  nlohmann::ordered_json result = nlohmann::ordered_json::array();
  for (const Row& row : rows) {
    const Statistics figure = statistics(row.figures);
    const Statistics loss = statistics(row.losses);
    result.push_back({{"method", row.method},
                      {"codebook", row.codebook},
                      {"seeds", row.figures.size()},
                      {row.figure, figure.mean},
                      {row.figure + "_sd", figure.deviation},
                      {"loss", loss.mean},
                      {"loss_sd", loss.deviation},
                      {"bytes", row.bytes},
                      {"ratio", row.ratio},
                      {"seconds", statistics(row.seconds).mean},
                      {"time_ratio", time_ratio(row)}});
  }
  return result;
}

}  // namespace

int compare_command(int argc, char** argv) {
  CommandLine line("lastbit compare",
                   "Runs methods and codebooks on one reference, and sets their errors, sizes and "
                   "times side by side.\nTakes the options of 'lastbit compress' for all runs; "
                   "called again, it goes on where it stopped.\n"
                   "Example: lastbit compare reference.onnx --data mnist --methods admm,lc,twn "
                   "--codebooks ternary --seeds 3");
  CompareChoice choice;
  choice.common.run = "runs/compare";
  choice.common.training.learning_rate = "cosine:0.05";
  add_options(line.app(), choice);
  // Defaults differ from method to method.
  line.save_given_options_alone();
  if (!line.parse(argc, argv)) return 0;
  if (choice.common.data.name.empty()) {
    throw InputError("[compare] no data set, expected --data with the one to train and test on");
  }
  catch_interrupts();
  const std::vector<Row> rows = compare(choice, line.app());
  const std::filesystem::path folder = choice.common.run;
  write_file(folder / "compare.csv", csv_text(rows));
  write_file(folder / "compare.json", json_line(json_of(rows)));
  if (choice.common.json) {
    std::cout << json_line(json_of(rows));
  } else {
    std::cout << (choice.csv ? csv_text(rows) : table_text(rows));
  }
  return 0;
}

}  // namespace lastbit
