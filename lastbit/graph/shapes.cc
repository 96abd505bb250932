#include "lastbit/graph/shapes.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "lastbit/graph/rules.h"

namespace lastbit {
namespace {

constexpr std::size_t kMany = 1U << 30U;

// Sorted by name.
constexpr Operator kOperators[] = {
    // name, oldest opset of this meaning, fewest and most inputs, rule
    {"Add", 7, 2, 2, binary_rule},
    {"AveragePool", 7, 1, 1, pool_rule},
    {"BatchNormalization", 9, 5, 5, batch_normalization_rule},
    {"Clip", 11, 1, 3, clip_rule},
    {"Concat", 4, 1, kMany, concat_rule},
    {"Constant", 1, 0, 0, constant_rule},
    {"Conv", 1, 2, 3, conv_rule},
    {"Div", 7, 2, 2, binary_rule},
    {"Dropout", 12, 1, 3, dropout_rule},
    {"Flatten", 1, 1, 1, flatten_rule},
    {"Gemm", 7, 2, 3, gemm_rule},
    {"GlobalAveragePool", 1, 1, 1, global_pool_rule},
    {"Identity", 1, 1, 1, unary_rule},
    {"LeakyRelu", 6, 1, 1, unary_rule},
    {"LogSoftmax", 13, 1, 1, softmax_rule},
    {"MatMul", 1, 2, 2, matmul_rule},
    {"MaxPool", 1, 1, 1, pool_rule},
    {"Mul", 7, 2, 2, binary_rule},
    {"Pad", 11, 2, 4, pad_rule},
    {"Relu", 6, 1, 1, unary_rule},
    {"Reshape", 5, 2, 2, reshape_rule},
    {"Sigmoid", 6, 1, 1, unary_rule},
    {"Slice", 10, 3, 5, slice_rule},
    {"Softmax", 13, 1, 1, softmax_rule},
    {"Squeeze", 13, 1, 2, squeeze_rule},
    {"Sub", 7, 2, 2, binary_rule},
    {"Tanh", 6, 1, 1, unary_rule},
    {"Transpose", 1, 1, 1, transpose_rule},
    {"Unsqueeze", 13, 2, 2, unsqueeze_rule},
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
    if (node.outputs.empty() || node.outputs.front().empty()) {
      call.fail("its first output has no name");
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
    if (count < op.fewest_inputs || count > op.most_inputs) {
      const std::string range = op.fewest_inputs == op.most_inputs ? cat(op.fewest_inputs)
                                : op.most_inputs == kMany
                                    ? cat(op.fewest_inputs, " or more")
                                    : cat(op.fewest_inputs, " to ", op.most_inputs);
      call.fail("expected ", range, " inputs, got ", count);
    }
    const std::size_t needed = op.most_inputs == kMany ? count : op.fewest_inputs;
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

TypeMap infer_shapes(const Graph& graph, std::int64_t batch) {
  std::map<std::string, Shape, std::less<>> shapes;
  for (Value input : graph.inputs) {
    if (!input.dims.empty() && !input.dims.front().known()) input.dims.front() = {batch, {}};
    shapes.emplace(input.name, own_shape(input));
  }
  return infer_shapes(graph, shapes);
}

}  // namespace lastbit
