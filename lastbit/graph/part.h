#pragma once

#include <span>
#include <string>

#include "lastbit/graph/graph.h"

namespace lastbit {

/// The part of `graph` that computes `values`: the nodes that one of them needs, in their order,
/// with the inputs and initializers that these read. Its outputs are `values`.
///
/// @param values  names of inputs or of results of nodes.
/// @throws InputError if the graph has no value of such a name.
Graph part_of(const Graph& graph, std::span<const std::string> values);

}  // namespace lastbit
