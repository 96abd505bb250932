#pragma once

#include "lastbit/graph/graph.h"

namespace lastbit {

/// `graph` with a Dropout where networks usually have one: on the input of each LSTM and GRU and of
/// the last Gemm or MatMul (Zaremba et al. 2014: between layers, never from step to step). A file
/// from another program has lost those that it was trained with.
///
/// @param share  of the values that training drops, in [0, 1); 0 gives `graph` itself.
/// @throws InputError if `share` is no such number, or `graph` has no such node.
Graph with_dropout(const Graph& graph, float share);

/// Takes out of `graph` what `with_dropout` added, whatever has become of the weights.
Graph without_added_dropout(Graph graph);

}  // namespace lastbit
