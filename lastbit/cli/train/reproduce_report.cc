#include "lastbit/cli/train/reproduce_report.h"

#include <cmath>

#include <fmt/format.h>

#include "lastbit/cli/table.h"
#include "lastbit/cli/train/figures.h"
#include "lastbit/cli/train/job_runner.h"

namespace lastbit {

void Figures::add(const nlohmann::json& result) {
  add_test(result.at("test"));
  train.push_back(figure_in(result.at("train")).value);
  log_loss.push_back(std::log10(result.at("train").at("loss").get<double>()));
  if (result.contains("bit_ratio")) bits.push_back(result.at("bit_ratio").get<double>());
}

void Figures::add_test(const nlohmann::json& score) {
  const Figure figure = figure_in(score);
  measure = figure.text;
  test.push_back(figure.value);
}

void ReproduceReport::add(const std::string& setting,
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

void ReproduceReport::add(const std::string& setting,
                          const Figures& figures,
                          const std::optional<double>& published,
                          const std::optional<double>& bits) {
  add(setting, "test " + figures.measure, published, figures.test);
  add(setting, "train " + figures.measure, {}, figures.train);
  add(setting, "log10 train loss", {}, figures.log_loss);
  add(setting, "ratio of bits", bits, figures.bits);
}

std::string ReproduceReport::text() const {
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

}  // namespace lastbit
