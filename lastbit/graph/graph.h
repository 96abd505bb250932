#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lastbit/graph/lowbit.h"
#include "lastbit/graph/tensor.h"

namespace lastbit {

/// A node's attribute, one alternative a kind of ONNX's AttributeProto.
using Attribute = std::variant<std::int64_t,
                               float,
                               std::string,
                               std::vector<std::int64_t>,
                               std::vector<float>,
                               std::vector<std::string>,
                               Tensor>;

/// One operator call, with the meaning that ONNX gives it at the graph's opset.
struct Node {
  std::string name;                 // may be empty
  std::string op;                   // "Conv"
  std::string domain;               // empty for ONNX's own operators
  std::vector<std::string> inputs;  // names of values; an omitted optional input is ""
  std::vector<std::string> outputs;
  std::map<std::string, Attribute, std::less<>> attributes;
};

/// What follows the word "node" in error messages: "'conv1' (Conv)", or "that makes 'y' (Conv)" for
/// a node without a name.
std::string describe(const Node& node);

/// Attribute `name`, or `fallback` where the node has none.
/// @throws InputError naming the node if the attribute is of another kind.
std::int64_t int_attribute(const Node& node, std::string_view name, std::int64_t fallback);
float float_attribute(const Node& node, std::string_view name, float fallback);
std::string string_attribute(const Node& node, std::string_view name, std::string fallback);
std::vector<std::int64_t> ints_attribute(const Node& node,
                                         std::string_view name,
                                         std::vector<std::int64_t> fallback);

/// A size that is known, or a name that stands for one ("batch").
struct Dim {
  std::int64_t size = -1;   // -1: not known before data arrives
  std::string symbol = {};  // only where size is -1; may be empty

  bool known() const noexcept { return size >= 0; }
  friend bool operator==(const Dim&, const Dim&) = default;
};

/// An input or output of the graph.
struct Value {
  std::string name;
  DType type = DType::kFloat;
  std::vector<Dim> dims;
};

/// "[batch, 1, 28, 28]"
std::string to_string(const std::vector<Dim>& dims);

/// A constant of the graph: plain, or low-bit.
using Initializer = std::variant<Tensor, LowBitTensor>;

const Shape& shape_of(const Initializer& initializer) noexcept;
/// The plain tensor, decoded where it is low-bit.
Tensor decode(const Initializer& initializer);

/// A network: the one description that the zoo and the ONNX reader make, and that training, the
/// runtime and the ONNX writer take. A plain value: copy it, change it.
struct Graph {
  std::string name = "lastbit";
  std::int64_t opset = 13;
  std::vector<Value> inputs;  // without initializers
  std::vector<Value> outputs;
  std::vector<Node> nodes;  // each after those that make its inputs
  std::map<std::string, Initializer, std::less<>> initializers;
  std::map<std::string, std::string, std::less<>> metadata;  // ONNX's metadata_props

  /// The initializer of that name, or null.
  const Initializer* find_initializer(std::string_view initializer) const noexcept;
};

/// A weight that can be made low-bit: the float32 initializer (or one that is low-bit already) that
/// is the second input of a Conv node, or of a Gemm or MatMul node as a matrix; W or R of an LSTM
/// or GRU, [directions, gates * hidden, inputs], whose channels are its rows; or an embedding, the
/// matrix [vocabulary, width] whose rows a Gather takes.
struct WeightUse {
  // The node's name, with ".input" or ".recurrent" for the two of an LSTM or GRU, or the
  // initializer's without ".weight" if it has none.
  std::string layer;
  std::string initializer;  // name in `Graph::initializers`
  int channel_axis = 0;     // the axis of the output channels
  std::int64_t gates = 0;   // of W or R of an LSTM (4) or GRU (3); 0 for other weights
};

/// The weights of `graph` that can be made low-bit, in the order of their nodes, each once (as its
/// first node uses it).
std::vector<WeightUse> lowbit_candidates(const Graph& graph);

}  // namespace lastbit
