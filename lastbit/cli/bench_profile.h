#pragma once

#include <string>
#include <vector>

#include "lastbit/runtime/session.h"

namespace lastbit {

/// A step of a network with the times of many runs.
struct StepProfile {
  StepInfo info;
  double milliseconds = 0.0;  ///< The median over runs.
};

/// Where the time of a run goes: each step, or each kind of step, with its operations, bytes, share
/// of the time and of the rate that `peak` is.
/// @param peak  operations a second
std::string step_table(const std::vector<StepProfile>& steps, double peak);

/// The runs as events of Chrome's trace format, to be opened in chrome://tracing or Perfetto.
/// @param runs  of each run, the times of all steps
std::string chrome_trace(const std::vector<StepInfo>& steps,
                         const std::vector<std::vector<StepTime>>& runs);

/// Operations a second (a product and its sum are two) that the kernels reach on weights of 2 bits
/// that stay in the nearest cache, on one thread; the most of several short trials.
double kernel_peak(const std::string& kernels, Activations activations);

}  // namespace lastbit
