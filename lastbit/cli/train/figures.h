#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "lastbit/train/task.h"

namespace lastbit {

/// The one number that a score is known by.
struct Figure {
  std::string key;   ///< "error", "perplexity", "bits" or "map"
  double value;      ///< Error and mean precision in percent.
  std::string text;  ///< "error 0.93%", "perplexity 112.41", "1.523 bits a character", "mAP 71.20%"
};
Figure figure_of(const Score& score);

/// The same of what `score_json` gave, with a name for tables in place of the text: "error %",
/// "perplexity", "bits a character" or "mAP %".
Figure figure_in(const nlohmann::json& score);

/// Its text.
std::string figure_text(const Score& score);
/// The same of an epoch's steps. Boxes, whose precision is not measured meanwhile, have the share
/// of objects missed.
std::string training_figure_text(Measure measure, double loss, double error);

/// "error 0.93%, loss 0.0312"
std::string score_text(const Score& score);
/// {"error": percent, "loss", "examples"}, and the figure where it is another.
nlohmann::ordered_json score_json(const Score& score);

}  // namespace lastbit
