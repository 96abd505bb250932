#pragma once

#include "lastbit/graph/graph.h"
#include "lastbit/graph/shapes.h"

namespace lastbit {

/// Multiplications of `node` if it is a Conv, Gemm, MatMul, LSTM or GRU, 0 for other operators;
/// each is added to a sum, so published "multiply-adds" are these. Products with a convolution's
/// padding count, biases and batch norm do not. Exact up to 2^53.
/// @param types  of the node's values, from `infer_shapes`.
double product_count(const Node& node, const TypeMap& types);

/// The sum over all nodes.
double product_count(const Graph& graph, const TypeMap& types);

}  // namespace lastbit
