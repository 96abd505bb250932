#pragma once

#include <string>

#include "lastbit/cli/train/experiments.h"

namespace lastbit {

/// The data set of an experiment's runs.
struct ExperimentData {
  std::string name;        ///< as `--data` takes it
  bool published = false;  ///< whether published figures are of these very data
};

/// @param given   what the user asked for; empty for the published data.
/// @param folder  where data sets are looked for, or empty.
/// @param quick   images of ImageNet are then made small.
/// @throws InputError if it is not there or its samples do not fit; FormatError for damaged files.
ExperimentData experiment_data(const Experiment& experiment,
                               const std::string& given,
                               const std::string& folder,
                               bool quick);

}  // namespace lastbit
