#include "lastbit/graph/part.h"

#include <algorithm>
#include <set>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

Value output_value(const Graph& graph, const std::string& name) {
  for (const auto* values : {&graph.outputs, &graph.inputs}) {
    const auto found = std::ranges::find(*values, name, &Value::name);
    if (found != values->end()) return *found;
  }
  return {.name = name, .type = DType::kUndefined, .dims = {}};
}

}  // namespace

Graph part_of(const Graph& graph, std::span<const std::string> values) {
  Graph part;
  part.name = graph.name;
  part.opset = graph.opset;
  part.metadata = graph.metadata;
  std::set<std::string, std::less<>> wanted(values.begin(), values.end());
  std::set<std::string, std::less<>> made;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const bool needed = std::ranges::any_of(node->outputs, [&](const std::string& name) {
      return !name.empty() && wanted.contains(name);
    });
    if (!needed) continue;
    made.insert(node->outputs.begin(), node->outputs.end());
    wanted.insert(node->inputs.begin(), node->inputs.end());
    part.nodes.push_back(*node);
  }
  std::ranges::reverse(part.nodes);
  for (const Value& input : graph.inputs) {
    if (wanted.contains(input.name)) part.inputs.push_back(input);
  }
  for (const auto& [name, initializer] : graph.initializers) {
    if (wanted.contains(name)) part.initializers.emplace(name, initializer);
  }
  for (const std::string& name : values) {
    const bool is_input = std::ranges::count(part.inputs, name, &Value::name) > 0;
    if (name.empty() || (!is_input && !made.contains(name))) {
      throw InputError(cat("[graph] there is no value '",
                           name,
                           "', expected an input or what one of the nodes makes"));
    }
    part.outputs.push_back(output_value(graph, name));
  }
  return part;
}

}  // namespace lastbit
