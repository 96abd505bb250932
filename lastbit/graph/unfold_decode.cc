#include <set>
#include <string>
#include <utility>

#include "lastbit/base/text.h"
#include "lastbit/graph/decode_function.h"

namespace lastbit {
namespace {

// Adds initializers under names that are free, each content once where it may be shared.
class Constants {
 public:
  explicit Constants(Graph& graph) : graph_(graph) {
    for (const Value& input : graph.inputs) taken_.insert(input.name);
    for (const auto& [name, initializer] : graph.initializers) taken_.insert(name);
    for (const Node& node : graph.nodes) taken_.insert(node.outputs.begin(), node.outputs.end());
  }

  std::string free_name(std::string name) {
    while (!taken_.insert(name).second) name += '_';
    return name;
  }

  std::string add(const std::string& name, Tensor tensor) {
    std::string free = free_name(name);
    graph_.initializers.emplace(free, std::move(tensor));
    return free;
  }

  std::string share(const std::string& name, const Tensor& tensor) {
    for (const auto& [known, shared] : shared_) {
      if (shared == tensor) return known;
    }
    shared_.emplace_back(add(name, tensor), tensor);
    return shared_.back().first;
  }

 private:
  Graph& graph_;
  std::set<std::string, std::less<>> taken_;
  std::vector<std::pair<std::string, Tensor>> shared_;
};

template <typename T>
Tensor vector_of(DType type, std::span<const T> values) {
  return {type, {static_cast<std::int64_t>(values.size())}, std::as_bytes(values)};
}

Node call_for(const std::string& name,
              const LowBitTensor& tensor,
              std::size_t number,
              Constants& constants) {
  const std::vector<std::int32_t> places = place_values(tensor.codebook.size());
  // Numbers instead of the weight's name: in a small network names are a good part of the file.
  const auto add = [&](std::string_view input, Tensor part) {
    return constants.add(cat(input, number), std::move(part));
  };
  const auto bytes = static_cast<std::int64_t>(tensor.packed.size());
  const Tensor codes(DType::kUint8, {bytes, 1}, std::as_bytes(std::span(tensor.packed)));
  Node call{.name = {},
            .op = std::string(tensor.group == 0 ? kDecodeName : kDecodeGroupsName),
            .domain = std::string(kDecodeDomain),
            .inputs = {add("codes", codes),
                       constants.share("places", vector_of<std::int32_t>(DType::kInt32, places)),
                       constants.share("codebook",
                                       vector_of<float>(DType::kFloat, tensor.codebook.levels())),
                       add("scales", Tensor::floats(tensor.scale_shape, tensor.scales))},
            .outputs = {name},
            .attributes = {{std::string(kDecodeShape), tensor.shape}}};
  if (tensor.group != 0) {
    call.attributes[std::string(kDecodeGroup)] = Shape{tensor.group};
    call.attributes[std::string(kDecodeLayout)] = Shape{tensor.layout.before, tensor.layout.after};
  }
  return call;
}

void append_body(const Node& call, Constants& constants, std::vector<Node>& nodes) {
  std::map<std::string, std::string> names{{std::string(kDecodeOutput), call.outputs.front()}};
  for (std::size_t i = 0; i < kDecodeInputs.size(); ++i) {
    names.emplace(kDecodeInputs[i], call.inputs[i]);
  }
  for (const std::string_view attribute : decode_attributes(call.op)) {
    const auto& values = std::get<Shape>(call.attributes.find(attribute)->second);
    names.emplace(attribute,
                  constants.add(cat(call.outputs.front(), ".", attribute),
                                vector_of<std::int64_t>(DType::kInt64, values)));
  }
  for (Node& node : decode_body(call.op)) {
    std::string& output = node.outputs.front();
    if (node.op == "Constant") {
      names.emplace(
          output,
          constants.share(cat("decode.", output), std::get<Tensor>(node.attributes.at("value"))));
      continue;
    }
    for (std::string& input : node.inputs) input = names.at(input);
    const auto known = names.find(output);
    if (known == names.end()) {
      const std::string free = constants.free_name(cat(call.outputs.front(), ".", output));
      names.emplace(output, free);
      output = free;
    } else {
      output = known->second;
    }
    nodes.push_back(std::move(node));
  }
}

// The set that several weights have, and most of them, is written once for all; others for
// themselves.
void label_sets(const std::map<std::string, LowBitTensor>& low_bit, Graph& graph) {
  std::map<std::string, int> uses;
  for (const auto& [name, tensor] : low_bit) ++uses[tensor.set];
  std::string common;
  int most = 1;
  for (const auto& [set, count] : uses) {
    if (set.empty() || count <= most) continue;
    common = set;
    most = count;
  }
  if (!common.empty()) graph.metadata.insert_or_assign(std::string(kCommonSetKey), common);
  for (const auto& [name, tensor] : low_bit) {
    if (tensor.set != common) graph.metadata.insert_or_assign(cat(kSetKey, name), tensor.set);
  }
}

}  // namespace

void unfold_decode(Graph& graph, bool inline_body) {
  Constants constants(graph);
  std::map<std::string, LowBitTensor> low_bit;
  for (const auto& [name, initializer] : graph.initializers) {
    if (const auto* tensor = std::get_if<LowBitTensor>(&initializer))
      low_bit.emplace(name, *tensor);
  }
  std::vector<Node> nodes;
  std::size_t number = 0;
  for (const auto& [name, tensor] : low_bit) {
    check_lowbit(tensor);
    graph.initializers.erase(name);
    Node call = call_for(name, tensor, number++, constants);
    if (inline_body) {
      append_body(call, constants, nodes);
    } else {
      nodes.push_back(std::move(call));
    }
  }
  label_sets(low_bit, graph);
  nodes.insert(nodes.end(), graph.nodes.begin(), graph.nodes.end());
  graph.nodes = std::move(nodes);
}

}  // namespace lastbit
