#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "lastbit/cli/jobs.h"

namespace lastbit {

/// One run of a command among many.
struct Job {
  std::string title;                   ///< for progress: "lc, ternary, seed 2"
  std::string folder;                  ///< below that of all, in characters fit for a file name
  bool trains_reference = false;       ///< `lastbit train`; else `lastbit compress`
  std::vector<std::string> arguments;  ///< without --run
};

/// Runs jobs one after another, each in a folder of its own, and takes what earlier calls have
/// finished from their folders.
class JobRunner {
 public:
  /// @param force  run again what is finished with other arguments; else that is an error.
  JobRunner(std::filesystem::path folder, std::int64_t jobs, bool force);

  /// The job's result.json. Says on standard error what is run, and how long all will still take.
  /// @throws InputError if its folder holds a run with other arguments; what the job throws.
  nlohmann::json run(const Job& job);

  std::filesystem::path file(const std::string& name) const { return folder_ / name; }

 private:
  std::optional<nlohmann::json> finished(const Job& job) const;

  std::filesystem::path folder_;
  std::int64_t jobs_;
  bool force_;
  std::int64_t done_ = 0;
  std::int64_t ran_ = 0;
  double seconds_ = 0.0;  // of those that ran
};

/// `text` with all but letters, digits, dot and minus replaced.
std::string file_name(std::string text);

/// Mean and standard deviation (of a sample; 0 for one value).
struct Statistics {
  double mean = 0.0;
  double deviation = 0.0;
};
Statistics statistics(const std::vector<double>& values);

/// "2.53 ± 0.04", without the deviation where there is one value.
std::string statistics_text(const std::vector<double>& values, int digits);

}  // namespace lastbit
