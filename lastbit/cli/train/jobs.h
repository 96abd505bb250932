#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace lastbit {

/// What a command that trains has made.
struct JobResult {
  nlohmann::ordered_json json;  ///< as in result.json
  std::string text;             ///< the same in one line for people
  bool as_json = false;         ///< whether --json was given
};

// The work of `lastbit train` and `lastbit compress`, with arguments as they are typed after the
// command's name, so that commands that run many of them can be followed by hand. Progress goes to
// standard error. Nothing comes back where only help was asked for.

std::optional<JobResult> run_train(const std::vector<std::string>& arguments);
std::optional<JobResult> run_compress(const std::vector<std::string>& arguments);

/// Prints the result as it was asked for.
void print(const JobResult& result);

}  // namespace lastbit
