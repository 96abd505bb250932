#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/graph/graph.h"

namespace lastbit {

/// What the zoo calls the mean and the deviation of a network's input.
inline constexpr std::string_view kInputMean = "input.mean";
inline constexpr std::string_view kInputDeviation = "input.deviation";

/// What a network was trained on: (x - mean) / deviation of images x between 0 and 1, one number a
/// channel. Both empty: the images as they are.
struct Normalization {
  std::vector<float> mean;
  std::vector<float> deviation;
};

/// "none", "imagenet", "cifar10".
std::vector<std::string_view> known_normalizations();

/// The statistics of a data set of that name.
/// @throws InputError that lists the known names.
Normalization known_normalization(std::string_view name);

/// Sets the network's mean, "input.mean", which it must have unless both are empty, one a channel,
/// and divides what is left by "input.deviation" in a node of its own.
/// @throws InputError if there are not as many numbers as channels, or if one is not finite or a
///     deviation not positive.
void normalize_input(Graph& graph, const Normalization& normalization);

}  // namespace lastbit
