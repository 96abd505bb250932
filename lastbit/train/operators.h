#pragma once

#include <functional>
#include <span>

#include <torch/types.h>

#include "lastbit/graph/graph.h"

namespace lastbit {

/// A node ready to be called on its inputs; omitted inputs are undefined tensors.
using OperatorCall = std::function<torch::Tensor(std::span<const torch::Tensor> inputs)>;

/// Turns a node of `graph` into a differentiable LibTorch call with ONNX's meaning.
///
/// @param training  read at each call: whether dropout drops and batch norm takes the batch's
/// statistics.
/// @throws InputError naming node and operator for what is not supported.
OperatorCall compile_operator(const Node& node, const Graph& graph, const bool* training);

}  // namespace lastbit
