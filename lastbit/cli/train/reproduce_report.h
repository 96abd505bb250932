#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace lastbit {

/// The figures of one setting over the seeds.
struct Figures {
  std::string measure = "error %";  // what the next two are
  std::vector<double> test;
  std::vector<double> train;
  std::vector<double> log_loss;  // log10 of the mean loss in training
  std::vector<double> bits;

  /// @param result  a run's result.json.
  void add(const nlohmann::json& result);
  /// @param score  one of the scores in it, on the test part.
  void add_test(const nlohmann::json& score);
};

/// Our figures beside the published ones.
class ReproduceReport {
 public:
  /// @param published  whether the data are those of the published figures.
  ReproduceReport(std::string experiment, bool published)
      : experiment_(std::move(experiment)), published_(published) {}

  /// Adds a row, if there is a figure of ours.
  void add(const std::string& setting,
           const std::string& metric,
           const std::optional<double>& published,
           const std::vector<double>& ours);

  /// Adds the rows of a setting. @param published, bits  published.
  void add(const std::string& setting,
           const Figures& figures,
           const std::optional<double>& published,
           const std::optional<double>& bits);

  const nlohmann::ordered_json& rows() const noexcept { return rows_; }
  std::string text() const;

 private:
  std::string experiment_;
  bool published_;
  nlohmann::ordered_json rows_ = nlohmann::ordered_json::array();
};

}  // namespace lastbit
