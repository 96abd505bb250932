#pragma once

#include <string>

#include "lastbit/cli/data_options.h"
#include "lastbit/runtime/session.h"

namespace lastbit {

/// `lastbit run` over a data set.
struct SampleRun {
  DataChoice data;
  std::string out;         ///< File for the outputs; empty prints the first.
  std::string inputs_out;  ///< File for the inputs; empty: none.
  SessionOptions session;
};

void run_on_samples(const Graph& graph, const SampleRun& run);

}  // namespace lastbit
