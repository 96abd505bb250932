#include "lastbit/graph/dropout.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/recurrent.h"

namespace lastbit {
namespace {

// What is added starts with this, in its node, its value and its ratio.
constexpr std::string_view kAdded = "lastbit.dropout.";

// The nodes whose first input is dropped.
std::vector<bool> places(const Graph& graph) {
  std::vector<bool> result;
  std::ptrdiff_t last = -1;
  for (const Node& node : graph.nodes) {
    if (node.op == "Gemm" || node.op == "MatMul") last = std::ssize(result);
    result.push_back(is_recurrent(node));
  }
  if (last >= 0) result[static_cast<std::size_t>(last)] = true;
  return result;
}

}  // namespace

Graph with_dropout(const Graph& graph, float share) {
  if (!(share >= 0.0F && share < 1.0F)) {
    throw InputError(cat("[dropout] the share is ", share, ", expected 0 <= share < 1"));
  }
  if (share == 0.0F) return graph;
  Graph result = graph;
  result.nodes.clear();
  const std::vector<bool> dropped = places(graph);
  if (std::ranges::find(dropped, true) == dropped.end()) {
    throw InputError("[dropout] the network has no LSTM, GRU, Gemm or MatMul, expected one");
  }
  const std::string ratio = cat(kAdded, "ratio");
  result.initializers.insert_or_assign(ratio, Tensor::scalar(share));
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    Node node = graph.nodes[i];
    if (dropped[i]) {
      const std::string name = cat(kAdded, i);
      result.nodes.push_back({.name = name,
                              .op = "Dropout",
                              .domain = {},
                              .inputs = {node.inputs.front(), ratio},
                              .outputs = {name},
                              .attributes = {}});
      node.inputs.front() = name;
    }
    result.nodes.push_back(std::move(node));
  }
  return result;
}

Graph without_added_dropout(Graph graph) {
  std::map<std::string, std::string> undropped;
  for (const Node& node : graph.nodes) {
    if (node.name.starts_with(kAdded)) undropped[node.outputs.front()] = node.inputs.front();
  }
  std::erase_if(graph.nodes, [](const Node& node) { return node.name.starts_with(kAdded); });
  for (Node& node : graph.nodes) {
    for (std::string& input : node.inputs) {
      if (const auto found = undropped.find(input); found != undropped.end()) input = found->second;
    }
  }
  std::erase_if(graph.initializers, [](const auto& one) { return one.first.starts_with(kAdded); });
  return graph;
}

}  // namespace lastbit
