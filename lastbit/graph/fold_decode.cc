#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/decode_function.h"
#include "lastbit/quant/digits.h"

namespace lastbit {
namespace {

using Binding = std::map<std::string, std::string, std::less<>>;  // of the body's inputs

// Finds the body of the function among the nodes of a graph.
class BodyMatcher {
 public:
  BodyMatcher(const Graph& graph, std::string_view function)
      : graph_(graph), body_(decode_body(function)) {
    for (const Node& node : graph.nodes) {
      for (const std::string& output : node.outputs) makers_.emplace(output, &node);
    }
    for (const Node& node : body_) body_makers_.emplace(node.outputs.front(), &node);
  }

  // What the inputs are bound to if `last` is the last node of a body, and the nodes of that body.
  std::optional<Binding> match(const Node& last, std::set<const Node*>& matched) const {
    Binding binding;
    std::set<const Node*> nodes;
    if (last.op != "Mul" || !same(body_.back(), last, binding, nodes)) return std::nullopt;
    matched.merge(nodes);
    return binding;
  }

 private:
  // The depth of the recursion is that of the body.
  bool same(const Node& wanted,
            const Node& node,
            Binding& binding,
            std::set<const Node*>& nodes) const {
    if (node.op != wanted.op || !node.domain.empty() || node.attributes != wanted.attributes ||
        node.inputs.size() != wanted.inputs.size() || node.outputs.size() != 1) {
      return false;
    }
    nodes.insert(&node);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (!same_value(wanted.inputs[i], node.inputs[i], binding, nodes)) return false;
    }
    return true;
  }

  bool same_value(const std::string& wanted,
                  const std::string& value,
                  Binding& binding,
                  std::set<const Node*>& nodes) const {
    const auto maker = body_makers_.find(wanted);
    if (maker == body_makers_.end()) {
      return graph_.find_initializer(value) != nullptr &&
             binding.emplace(wanted, value).first->second == value;
    }
    if (maker->second->op == "Constant") {
      const Initializer* initializer = graph_.find_initializer(value);
      const Tensor* tensor = initializer ? std::get_if<Tensor>(initializer) : nullptr;
      return tensor != nullptr &&
             *tensor == std::get<Tensor>(maker->second->attributes.at("value"));
    }
    const auto found = makers_.find(value);
    return found != makers_.end() && same(*maker->second, *found->second, binding, nodes);
  }

  const Graph& graph_;
  std::vector<Node> body_;
  std::map<std::string_view, const Node*> makers_;
  std::map<std::string_view, const Node*> body_makers_;
};

// Reads the parts of one call.
class Parts {
 public:
  Parts(const Graph& graph, const Node& node, const Binding& binding)
      : graph_(graph), node_(node), binding_(binding) {}

  LowBitTensor tensor() const {
    const auto levels = values<float>("codebook", DType::kFloat, 1);
    std::optional<Codebook> codebook;
    try {
      codebook.emplace(levels);
    } catch (const InputError& error) {
      fail(error.what());
    }
    if (values<std::int32_t>("places", DType::kInt32, 1) != place_values(codebook->size())) {
      fail("'places' must be the powers of ",
           codebook->size(),
           ": [",
           join(place_values(codebook->size())),
           "]");
    }
    LowBitTensor tensor{.shape = ints(kDecodeShape),
                        .codebook = *std::move(codebook),
                        .scale_shape = part("scales", DType::kFloat).shape(),
                        .scales = values<float>("scales", DType::kFloat, std::nullopt),
                        .packed = codes(),
                        .set = {}};
    if (grouped()) read_groups(tensor);
    auto label = graph_.metadata.find(cat(kSetKey, node_.outputs.front()));
    if (label == graph_.metadata.end()) label = graph_.metadata.find(kCommonSetKey);
    if (label != graph_.metadata.end()) tensor.set = label->second;
    try {
      check_lowbit(tensor);
    } catch (const InputError& error) {
      fail(error.what());
    }
    return tensor;
  }

 private:
  template <typename... Texts>
  [[noreturn]] void fail(const Texts&... texts) const {
    throw FormatError(cat("[onnx] node ", describe(node_), ": ", texts...));
  }

  bool grouped() const {
    return is_decode_call(node_) ? node_.op == kDecodeGroupsName : binding_.contains(kDecodeGroup);
  }

  // An attribute of the call, a value of the body.
  Shape ints(std::string_view name) const {
    if (!is_decode_call(node_)) return values<std::int64_t>(name, DType::kInt64, 1);
    return ints_attribute(node_, name, {});
  }

  Bytes codes() const {
    const Tensor& tensor = part("codes", DType::kUint8);
    if (const Shape& shape = tensor.shape(); shape.size() != 2 || shape[1] != 1) {
      fail("input 'codes' has shape ", to_string(shape), ", expected [bytes, 1]");
    }
    return tensor.shared_bytes();
  }

  void read_groups(LowBitTensor& tensor) const {
    const Shape group = ints(kDecodeGroup);
    const Shape layout = ints(kDecodeLayout);
    if (group.size() != 1 || group[0] < 1 || layout.size() != 2) {
      fail("'group' is ",
           to_string(group),
           " and 'layout' ",
           to_string(layout),
           ", expected one size of at least 1, and two");
    }
    if (tensor.scale_shape.size() != 3) {
      fail("input 'scales' has shape ", to_string(tensor.scale_shape), ", expected rank 3");
    }
    tensor.group = group[0];
    tensor.layout = {layout[0], tensor.scale_shape[0], layout[1]};
  }

  const Tensor& part(std::string_view input, DType type) const {
    const std::string& name = binding_.find(input)->second;
    const Initializer* initializer = graph_.find_initializer(name);
    if (initializer == nullptr) {
      throw InputError(cat("[onnx] node ",
                           describe(node_),
                           ": input '",
                           input,
                           "' (value '",
                           name,
                           "') must be an initializer"));
    }
    const Tensor* tensor = std::get_if<Tensor>(initializer);
    if (tensor == nullptr || tensor->type() != type) {
      fail("input '",
           input,
           "' must be ",
           to_string(type),
           ", got ",
           tensor == nullptr ? "a low-bit tensor" : to_string(tensor->type()));
    }
    return *tensor;
  }

  template <typename T>
  std::vector<T> values(std::string_view input, DType type, std::optional<std::size_t> rank) const {
    const Tensor& tensor = part(input, type);
    if (rank && tensor.shape().size() != *rank) {
      fail("input '", input, "' has shape ", to_string(tensor.shape()), ", expected rank ", *rank);
    }
    const std::span<const std::byte> bytes = tensor.bytes();
    std::vector<T> result(bytes.size() / sizeof(T));
    if (!bytes.empty()) std::memcpy(result.data(), bytes.data(), bytes.size());
    return result;
  }

  const Graph& graph_;
  const Node& node_;
  const Binding& binding_;
};

Binding bind_call(const Node& call) {
  if (call.inputs.size() != kDecodeInputs.size() || call.outputs.size() != 1) {
    throw FormatError(cat("[onnx] node ",
                          describe(call),
                          ": expected ",
                          kDecodeInputs.size(),
                          " inputs (",
                          join(kDecodeInputs),
                          ") and 1 output, got ",
                          call.inputs.size(),
                          " and ",
                          call.outputs.size()));
  }
  Binding binding;
  for (std::size_t i = 0; i < kDecodeInputs.size(); ++i) {
    binding.emplace(kDecodeInputs[i], call.inputs[i]);
  }
  return binding;
}

}  // namespace

void fold_decode(Graph& graph) {
  const BodyMatcher plain(graph, kDecodeName);
  const BodyMatcher by_group(graph, kDecodeGroupsName);
  std::set<const Node*> gone;    // calls, and last nodes of bodies
  std::set<const Node*> bodies;  // all nodes of bodies
  std::map<std::string, LowBitTensor> made;
  std::set<std::string> parts;
  for (const Node& node : graph.nodes) {
    std::optional<Binding> binding;
    if (is_decode_call(node)) {
      binding = bind_call(node);
    } else {
      binding = plain.match(node, bodies);
      if (!binding) binding = by_group.match(node, bodies);
    }
    if (!binding) continue;
    made.emplace(node.outputs.front(), Parts(graph, node, *binding).tensor());
    for (const auto& [input, name] : *binding) parts.insert(name);
    gone.insert(&node);
  }
  if (made.empty()) return;

  // A node inside a body goes once nothing needs it, from the last to the first.
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    if (bodies.contains(&*node)) {
      for (const std::string& input : node->inputs) parts.insert(input);
    }
  }
  std::set<std::string, std::less<>> used;
  for (const Value& output : graph.outputs) used.insert(output.name);
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    if (gone.contains(&*node)) continue;
    if (bodies.contains(&*node) && !used.contains(node->outputs.front())) {
      gone.insert(&*node);
    } else {
      used.insert(node->inputs.begin(), node->inputs.end());
    }
  }
  std::vector<Node> kept;
  for (Node& node : graph.nodes) {
    if (!gone.contains(&node)) kept.push_back(std::move(node));
  }
  graph.nodes = std::move(kept);
  for (const std::string& part : parts) {
    if (!used.contains(part)) graph.initializers.erase(part);
  }
  for (auto& [name, tensor] : made) {
    graph.metadata.erase(cat(kSetKey, name));
    graph.initializers.insert_or_assign(name, std::move(tensor));
  }
  if (const auto common = graph.metadata.find(kCommonSetKey); common != graph.metadata.end()) {
    graph.metadata.erase(common);
  }
}

}  // namespace lastbit
