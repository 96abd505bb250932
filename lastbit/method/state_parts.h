#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <torch/types.h>

#include "lastbit/method/residuals.h"

// Named tensors that hold all of a run, so that it goes on later as if never stopped: what a
// Trainer and a Squeezer save.

namespace lastbit {

using State = std::map<std::string, torch::Tensor>;

/// (values) int64, and float64.
torch::Tensor integers(const std::vector<std::int64_t>& values);
torch::Tensor reals(const std::vector<double>& values);

/// The tensor of a name.
/// @param size  number of elements, or -1 for any.
/// @throws FormatError if there is none, or one of another type or size.
const torch::Tensor& part(const State& state,
                          const std::string& name,
                          torch::ScalarType type,
                          std::int64_t size);

/// Copies `part` to the CPU, its names behind `prefix`.
void add(State& state, const std::string& prefix, const State& part);
/// What `add` put behind `prefix`.
State below(const State& state, const std::string& prefix);

/// The figures of the network as a whole, and those back from a state; what is told of single
/// layers is not kept.
torch::Tensor figures_of(const Residuals& residuals);
std::optional<Residuals> residuals_in(const State& state, const std::string& name);

}  // namespace lastbit
