#include "lastbit/graph/shapes.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "lastbit/graph/rules.h"

namespace lastbit {
namespace {

constexpr std::uint8_t kMany = 0xFF;

// Sorted by name.
constexpr Operator kOperators[] = {
    // name, rule, oldest opset of this meaning, fewest and most inputs
    {"Add", binary_rule, 7, 2, 2},
    {"AveragePool", pool_rule, 7, 1, 1},
    {"BatchNormalization", batch_normalization_rule, 9, 5, 5},
    {"Cast", cast_rule, 6, 1, 1},
    {"Clip", clip_rule, 11, 1, 3},
    {"Concat", concat_rule, 4, 1, kMany},
    {"Constant", constant_rule, 1, 0, 0},
    {"Conv", conv_rule, 1, 2, 3},
    {"Div", binary_rule, 7, 2, 2},
    {"Dropout", dropout_rule, 12, 1, 3},
    {"Exp", unary_rule, 6, 1, 1},
    {"Flatten", flatten_rule, 1, 1, 1},
    {"GRU", recurrent_rule, 7, 3, 6, true},
    {"Gather", gather_rule, 1, 2, 2},
    {"Gemm", gemm_rule, 7, 2, 3},
    {"GlobalAveragePool", global_pool_rule, 1, 1, 1},
    {"Identity", unary_rule, 1, 1, 1},
    {"LSTM", recurrent_rule, 7, 3, 8, true},
    {"LeakyRelu", unary_rule, 6, 1, 1},
    {"LogSoftmax", softmax_rule, 13, 1, 1},
    {"MatMul", matmul_rule, 1, 2, 2},
    {"MaxPool", pool_rule, 1, 1, 1},
    {"Mul", binary_rule, 7, 2, 2},
    {"NonMaxSuppression", non_max_suppression_rule, 10, 2, 5},
    {"Pad", pad_rule, 11, 2, 4},
    {"ReduceL2", reduction_rule, 1, 1, 2},
    {"ReduceMax", reduction_rule, 1, 1, 2},
    {"ReduceSum", reduction_rule, 1, 1, 2},
    {"Relu", unary_rule, 6, 1, 1},
    {"Reshape", reshape_rule, 5, 2, 2},
    {"Sigmoid", unary_rule, 6, 1, 1},
    {"Slice", slice_rule, 10, 3, 5},
    {"Softmax", softmax_rule, 13, 1, 1},
    {"Sqrt", unary_rule, 6, 1, 1},
    {"Squeeze", squeeze_rule, 13, 1, 2},
    {"Sub", binary_rule, 7, 2, 2},
    {"Tanh", unary_rule, 6, 1, 1},
    {"Transpose", transpose_rule, 1, 1, 1},
    {"Unsqueeze", unsqueeze_rule, 13, 2, 2},
};

// The walk over a graph's nodes, in their order.
class Inference {
 public:
  explicit Inference(const Graph& graph) : graph_(graph) {
    for (const auto& [name, initializer] : graph.initializers) {
      const Tensor* plain = std::get_if<Tensor>(&initializer);
      const DType type = plain == nullptr ? DType::kFloat : plain->type();
      define(name, {type, shape_of(initializer)}, "initializer");
      if (plain != nullptr) constants_.emplace(name, *plain);
    }
  }

  void add_input(const std::string& name, TensorType type) {
    define(name, std::move(type), "input");
  }

  TypeMap run() {
    for (const Node& node : graph_.nodes) visit(node);
    for (const Value& output : graph_.outputs) {
      if (!types_.contains(output.name)) {
        throw InputError(
            cat("[shapes] output '", output.name, "' of the graph is made by no node"));
      }
    }
    return std::move(types_);
  }

 private:
  void define(const std::string& name, TensorType type, const std::string& maker) {
    if (!checked_element_count(type.shape)) {
      throw InputError(cat("[shapes] ",
                           maker,
                           ": '",
                           name,
                           "' would have shape ",
                           to_string(type.shape),
                           ", which no memory can hold"));
    }
    if (!types_.emplace(name, std::move(type)).second) {
      throw InputError(cat("[shapes] ", maker, ": the name '", name, "' is taken already"));
    }
  }

  void visit(const Node& node) {
    const Operator* op = node.domain.empty() ? find_operator(node.op) : nullptr;
    const Call call = look_up(node);
    if (op == nullptr) {
      call.fail("operator is not supported, supported are: ", join(known_operators()));
    }
    if (graph_.opset < op->since) {
      call.fail(
          "operator is supported from opset ", op->since, ", the graph has opset ", graph_.opset);
    }
    check_inputs(call, *op);
    const bool unnamed = std::ranges::all_of(node.outputs, &std::string::empty);
    if (unnamed || (node.outputs.front().empty() && !op->outputs_optional)) {
      call.fail(op->outputs_optional ? "none of its outputs has a name"
                                     : "its first output has no name");
    }
    std::vector<TensorType> results = op->rule(call);
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i].empty()) continue;
      if (i >= results.size()) {
        call.fail("output ",
                  i + 1,
                  " ('",
                  node.outputs[i],
                  "') is not supported, only the first ",
                  results.size());
      }
      define(node.outputs[i], std::move(results[i]), cat("node ", describe(node)));
    }
    if (node.op == "Constant") keep_constant(node);
  }

  Call look_up(const Node& node) const {
    Call call{node, {}, {}};
    for (const std::string& name : node.inputs) {
      const auto type = types_.find(name);
      if (!name.empty() && type == types_.end()) {
        call.fail("input '",
                  name,
                  "' is no input or initializer of the graph, nor the result of a node before it");
      }
      const auto constant = constants_.find(name);
      call.inputs.push_back(name.empty() ? nullptr : &type->second);
      call.constants.push_back(constant == constants_.end() ? nullptr : &constant->second);
    }
    while (!call.inputs.empty() && call.inputs.back() == nullptr) {
      call.inputs.pop_back();
      call.constants.pop_back();
    }
    return call;
  }

  static void check_inputs(const Call& call, const Operator& op) {
    const std::size_t count = call.inputs.size();
    const bool many = op.most_inputs == kMany;
    if (count < op.fewest_inputs || (!many && count > op.most_inputs)) {
      const std::string range = op.fewest_inputs == op.most_inputs ? cat(op.fewest_inputs)
                                : many ? cat(op.fewest_inputs, " or more")
                                       : cat(op.fewest_inputs, " to ", op.most_inputs);
      call.fail("expected ", range, " inputs, got ", count);
    }
    const std::size_t needed = many ? count : op.fewest_inputs;
    for (std::size_t i = 0; i < needed; ++i) {
      if (!call.has(i)) call.fail("input ", i + 1, " must not be omitted");
    }
  }

  void keep_constant(const Node& node) {
    if (node.attributes.empty() || node.outputs.empty()) return;
    const Attribute& value = node.attributes.begin()->second;
    if (const auto* tensor = std::get_if<Tensor>(&value)) {
      constants_.emplace(node.outputs.front(), *tensor);
    } else if (const auto* ints = std::get_if<std::vector<std::int64_t>>(&value)) {
      const auto size = static_cast<std::int64_t>(ints->size());
      constants_.emplace(node.outputs.front(), Tensor::int64s({size}, *ints));
    }
  }

  const Graph& graph_;
  TypeMap types_;
  std::map<std::string, Tensor, std::less<>> constants_;
};

// The dims of `input` with the shape that the caller gives.
Shape match(const Value& input, const Shape& given) {
  bool fits = given.size() == input.dims.size();
  for (std::size_t i = 0; fits && i < given.size(); ++i) {
    fits = given[i] >= 0 && (!input.dims[i].known() || input.dims[i].size == given[i]);
  }
  if (fits) return given;
  throw InputError(cat("[shapes] input '",
                       input.name,
                       "' is ",
                       to_string(input.dims),
                       ", shape ",
                       to_string(given),
                       " does not fit it"));
}

Shape own_shape(const Value& input) {
  Shape shape;
  for (const Dim& dim : input.dims) {
    if (!dim.known()) {
      throw InputError(cat("[shapes] input '",
                           input.name,
                           "' is ",
                           to_string(input.dims),
                           ", its sizes are not all known"));
    }
    shape.push_back(dim.size);
  }
  return shape;
}

}  // namespace

const Operator* find_operator(std::string_view name) noexcept {
  const auto* found = std::ranges::lower_bound(kOperators, name, {}, &Operator::name);
  return found != std::end(kOperators) && found->name == name ? found : nullptr;
}

std::vector<std::string> known_operators() {
  std::vector<std::string> names;
  for (const Operator& op : kOperators) names.emplace_back(op.name);
  return names;
}

TypeMap infer_shapes(const Graph& graph,
                     const std::map<std::string, Shape, std::less<>>& input_shapes) {
  for (const auto& [name, shape] : input_shapes) {
    if (std::ranges::find(graph.inputs, name, &Value::name) == graph.inputs.end()) {
      std::vector<std::string> names;
      for (const Value& input : graph.inputs) names.push_back(input.name);
      throw InputError(
          cat("[shapes] the graph has no input '", name, "', its inputs are: ", join(names)));
    }
  }
  Inference inference(graph);
  for (const Value& input : graph.inputs) {
    const auto given = input_shapes.find(input.name);
    inference.add_input(
        input.name,
        {input.type, given == input_shapes.end() ? own_shape(input) : match(input, given->second)});
  }
  return inference.run();
}

TypeMap infer_shapes(const Graph& graph,
                     std::int64_t batch,
                     const std::map<std::string, std::int64_t, std::less<>>& sizes) {
  std::map<std::string, Shape, std::less<>> shapes;
  std::vector<std::string> known;
  for (Value input : graph.inputs) {
    for (std::size_t i = 0; i < input.dims.size(); ++i) {
      Dim& dim = input.dims[i];
      if (dim.known()) continue;
      const auto given = sizes.find(dim.symbol);
      known.push_back(dim.symbol);
      if (given != sizes.end()) {
        dim.size = given->second;
      } else if (i == 0) {
        dim.size = batch;
      }
    }
    shapes.emplace(input.name, own_shape(input));
  }
  for (const auto& [name, size] : sizes) {
    if (size > 0 && std::ranges::find(known, name) != known.end()) continue;
    throw InputError(cat("[shapes] dimension '",
                         name,
                         "' cannot take size ",
                         size,
                         ", expected 1 or more for one of those that are not known: ",
                         known.empty() ? "none" : join(known)));
  }
  return infer_shapes(graph, shapes);
}

}  // namespace lastbit
