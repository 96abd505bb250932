#include "lastbit/cli/train/figures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lastbit {

Figure figure_of(const Score& score) {
  switch (score.measure) {
    case Measure::kPerplexity: {
      const double perplexity = std::exp(score.loss);
      return {"perplexity", perplexity, fmt::format("perplexity {:.2f}", perplexity)};
    }
    case Measure::kBits: {
      const double bits = score.loss / std::numbers::ln2;
      return {"bits", bits, fmt::format("{:.3f} bits a character", bits)};
    }
    case Measure::kMeanPrecision: {
      const double percent = 100.0 * (1.0 - score.error);
      return {"map", percent, fmt::format("mAP {:.2f}%", percent)};
    }
    case Measure::kError:
      break;
  }
  const double percent = 100.0 * score.error;
  return {"error", percent, fmt::format("error {:.2f}%", percent)};
}

Figure figure_in(const nlohmann::json& score) {
  constexpr std::array<std::pair<const char*, const char*>, 4> kNames = {
      {{"perplexity", "perplexity"},
       {"bits", "bits a character"},
       {"map", "mAP %"},
       {"error", "error %"}}};
  const auto* const found = std::find_if(
      kNames.begin(), kNames.end(), [&](const auto& name) { return score.contains(name.first); });
  const auto& [key, name] = found == kNames.end() ? kNames.back() : *found;
  return {key, score.at(key).get<double>(), name};
}

std::string figure_text(const Score& score) { return figure_of(score).text; }

std::string training_figure_text(Measure measure, double loss, double error) {
  if (measure == Measure::kMeanPrecision) return fmt::format("missed {:.2f}%", 100.0 * error);
  return figure_text({.loss = loss, .error = error, .measure = measure});
}

std::string score_text(const Score& score) {
  return fmt::format("{}, loss {:.4f}", figure_text(score), score.loss);
}

nlohmann::ordered_json score_json(const Score& score) {
  nlohmann::ordered_json json = {
      {"error", 100.0 * score.error}, {"loss", score.loss}, {"examples", score.examples}};
  const Figure figure = figure_of(score);
  json[figure.key] = figure.value;
  return json;
}

}  // namespace lastbit
