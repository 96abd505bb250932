#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lastbit/cli/train/experiments.h"
#include "lastbit/cli/train/reproduce_report.h"

namespace lastbit {

/// What `lastbit reproduce` is told.
struct ReproduceChoice {
  std::string name;
  std::string run;
  std::string data;
  std::string data_folder;
  std::vector<std::string> networks;    ///< those to run; empty: all
  std::vector<std::string> only;        ///< patterns of settings to run; empty: all
  std::vector<std::string> references;  ///< "NETWORK=FILE.onnx"
  std::string device = "cpu";
  std::string precision = "float32";
  std::int64_t seeds = 3;
  std::int64_t epochs = 0;  ///< of each run at reduced length; 0: the experiment's
  std::int64_t at_once = 1;
  int threads = 0;
  bool quick = false;     ///< reduced length
  bool finished = false;  ///< run nothing
  bool force = false;
  bool json = false;
};

/// Runs what is not finished yet in the folder `choice.run`, and puts all figures together.
/// @throws InputError for networks, settings or references that the experiment does not have, or
///     data that do not fit; what a run throws.
ReproduceReport reproduce(const Experiment& experiment, const ReproduceChoice& choice);

}  // namespace lastbit
