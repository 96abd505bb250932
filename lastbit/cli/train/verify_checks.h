#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lastbit/cli/data_options.h"
#include "lastbit/graph/graph.h"

namespace lastbit {

/// What `lastbit verify` finds out.
struct Check {
  std::string claim;
  bool holds = false;
  std::string finding;
};

/// How far outputs may differ, relative to the largest.
inline constexpr double kTolerance = 1e-4;

/// Checks that our runtime computes what LibTorch does, with every set of kernels, for a detector:
/// on the first images of the data, boxes and scores, what suppression selects of them, and mAP,
/// also with 8-bit activations.
/// @param model  begins error messages.
/// @throws InputError for data without boxes or of other classes.
std::vector<Check> check_detector(const Graph& graph,
                                  const std::string& model,
                                  const DataChoice& data);

/// The same for a language model, on random words of its vocabulary: logits, the distribution of
/// the next word, and the state that goes from call to call.
std::vector<Check> check_language_model(const Graph& graph);

}  // namespace lastbit
