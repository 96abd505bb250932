#pragma once

#include <string_view>
#include <vector>

#include "lastbit/base/random.h"
#include "lastbit/runtime/session.h"

namespace lastbit {

/// The options with a size for every unknown dimension of the inputs that has a name: `batch`,
/// wherever it stands, is `options.batch`, and so is a first dimension of any name where no input
/// has one called so.
/// @throws InputError naming the dimension that needs a `--size`.
SessionOptions with_sizes(const Graph& graph, SessionOptions options);

/// Input `name`, which is of integers, takes 0, ..., this - 1: as far as a Gather finds rows with
/// them, on the way through nodes that move values alone; 2 where none does.
std::int64_t integers_of(const Graph& graph, std::string_view name);

/// Values for the inputs of a session on `graph`: in [0, 1), or integers that the model takes.
std::vector<std::vector<float>> random_inputs(const Graph& graph,
                                              const Session& session,
                                              Random& random);

/// True for an output that a NonMaxSuppression makes: our runtime writes more rows than it selects.
bool is_selection(const Graph& graph, std::string_view output);

}  // namespace lastbit
