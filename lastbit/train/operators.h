#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include <torch/types.h>

#include "lastbit/graph/graph.h"
#include "lastbit/train/precision.h"

namespace lastbit {

/// How a network runs at the moment.
struct ForwardMode {
  bool training = true;  ///< Dropout drops, and batch norm takes the batch's statistics.
  /// Positive: batch norm takes the batch's statistics also outside training, and its running ones
  /// move by this share toward them, whatever the node's momentum.
  double statistics_share = 0.0;
  Precision precision = Precision::kFloat32;
  /// Dropout of sequences, (steps, batch, units), draws one mask for all steps: variational dropout
  /// (Gal and Ghahramani, 2016).
  bool locked_dropout = false;
  /// Convolutions of images take and give channels-last tensors; results are the same but for
  /// rounding, and those after them keep the order.
  bool channels_last = false;
};

/// A factor of a convolution or matrix product, in the type and memory order that `mode` asks for.
torch::Tensor as_factor(const torch::Tensor& tensor, const ForwardMode& mode);

/// A node of one result ready to be called on its inputs; omitted inputs are undefined tensors.
using OperatorCall = std::function<torch::Tensor(std::span<const torch::Tensor> inputs)>;

/// Any node ready to be called.
struct NodeCall {
  std::function<std::vector<torch::Tensor>(std::span<const torch::Tensor> inputs)> call;
  std::size_t results = 1;  ///< that `call` gives: the node's first outputs
};

/// Turns a node of `graph` into a differentiable LibTorch call with ONNX's meaning.
///
/// @param mode  read at each call.
/// @throws InputError naming node and operator for what is not supported.
NodeCall compile_operator(const Node& node, const Graph& graph, const ForwardMode* mode);

}  // namespace lastbit
