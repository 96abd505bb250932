#pragma once

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace lastbit {

/// Small enough to train in a second.
inline constexpr const char* kTrainingData = "digits:train=1000,test=200";

class TrainingTest : public CommandTest {
 protected:
  static Words with(Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  /// A command that trains on the data above, on one thread.
  static Words training(Words words, const Words& more) {
    words.insert(words.end(), {"--threads", "1", "--data", kTrainingData});
    return with(std::move(words), more);
  }
  static Words train_words(const std::string& run) {
    return training({"train", "mlp", "--hidden", "16"},
                    {"--epochs", "2", "--batch", "25", "--run", run});
  }
  static Words compress_words(const std::string& model, const std::string& run) {
    return training({"compress", model}, {"--epochs", "1", "--finish-epochs", "1", "--run", run});
  }
  /// Writes a network with random weights, for what needs no training.
  void make_model(const std::string& name) const {
    succeed({"zoo", "mlp", "--hidden", "16", "--center", "none", "--out", name});
  }

  nlohmann::json evaluate(const std::string& model) const {
    const Finished run = succeed({"eval", model, "--data", kTrainingData, "--json"});
    return nlohmann::json::parse(run.out);
  }
  /// The lines of a run's log.
  std::vector<nlohmann::json> log_of(const std::string& run) const {
    std::vector<nlohmann::json> entries;
    std::istringstream lines(read(run + "/log.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      entries.push_back(nlohmann::json::parse(line));
    }
    return entries;
  }
};

}  // namespace lastbit
