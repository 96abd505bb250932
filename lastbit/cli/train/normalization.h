#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "lastbit/data/dataset.h"
#include "lastbit/graph/graph.h"
#include "lastbit/zoo/zoo.h"

namespace lastbit {

/// Adds --normalize: "auto", "data", "mean", "none", or a name of `known_normalization`.
void add_normalize_option(CLI::App& app, std::string& choice);

/// What "auto" means: "data" for images of three channels whose mean is one a channel, else "mean".
///
/// @throws InputError if `choice` works by channel and the network's mean is another.
std::string settled_normalization(const std::string& choice,
                                  const ZooOptions& network,
                                  const DatasetSource& samples);

/// The architecture with mean and deviation of its input, where the normalization has a deviation;
/// with a mean of 0, to be set later, for "mean", and with none for "none".
///
/// @param normalization  settled.
/// @param samples        those of training.
Graph normalized_network(const std::string& architecture,
                         ZooOptions options,
                         const std::string& normalization,
                         const DatasetSource& samples);

}  // namespace lastbit
