#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "lastbit/cli/train/jobs.h"

namespace lastbit {

/// One run of a command among many.
struct Job {
  std::string title;                   ///< for progress: "lc, ternary, seed 2"
  std::string folder;                  ///< below that of all, in characters fit for a file name
  bool trains_reference = false;       ///< `lastbit train`; else `lastbit compress`
  std::vector<std::string> arguments;  ///< without --run
};

/// Runs jobs, each in a folder of its own, and takes what earlier calls have finished from their
/// folders.
class JobRunner {
 public:
  struct Options {
    std::filesystem::path folder;
    std::int64_t at_once = 1;  ///< More than 1: each in a process of its own, whose output goes to
                               ///< output.txt in its folder.
    bool force = false;  ///< Run again what is finished with other arguments; else it is an error.
  };

  /// @param total  jobs of all calls of `run`, for progress.
  JobRunner(Options options, std::int64_t total);

  /// The result.json of each job. Says on standard error what is run, and how long all will take.
  /// @throws InputError if a folder holds a run with other arguments; what a job throws, or
  /// WorkError if its process failed.
  std::vector<nlohmann::json> run(const std::vector<Job>& jobs);

  std::filesystem::path file(const std::string& name) const { return options_.folder / name; }

  /// The result.json of a job that is finished. @throws InputError as `run`.
  std::optional<nlohmann::json> finished(const Job& job) const;

 private:
  std::vector<std::string> words(const Job& job) const;
  void announce(const Job& job);
  void run_here(const Job& job);
  void run_in_processes(const std::vector<Job>& jobs);
  void mark_finished(const Job& job) const;

  Options options_;
  std::int64_t total_;
  std::int64_t done_ = 0;
  std::int64_t ran_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// `text` with all but letters, digits, dot, minus and underscore replaced by `other`.
std::string file_name(std::string text, char other = '_');

/// Mean and standard deviation (of a sample; 0 for one value).
struct Statistics {
  double mean = 0.0;
  double deviation = 0.0;
};
Statistics statistics(const std::vector<double>& values);

/// "2.53 ± 0.04", without the deviation where there is one value.
std::string statistics_text(const std::vector<double>& values, int digits);

}  // namespace lastbit
