#include "lastbit/cli/model_inputs.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <string>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

constexpr std::string_view kBatch = "batch";

// Give the integers they are given, in another shape or order.
constexpr std::array<std::string_view, 9> kMoving = {"Cast",
                                                     "Concat",
                                                     "Flatten",
                                                     "Identity",
                                                     "Reshape",
                                                     "Slice",
                                                     "Squeeze",
                                                     "Transpose",
                                                     "Unsqueeze"};

bool has_batch(const Graph& graph) {
  return std::ranges::any_of(graph.inputs, [](const Value& input) {
    return std::ranges::find(input.dims, kBatch, &Dim::symbol) != input.dims.end();
  });
}

// Rows that a Gather chooses among; 1, which all have, where the table is computed.
std::int64_t rows_of(const Graph& graph, const Node& gather) {
  const Initializer* table = graph.find_initializer(gather.inputs[0]);
  if (table == nullptr) return 1;
  const Shape& shape = shape_of(*table);
  const auto rank = static_cast<std::int64_t>(shape.size());
  const std::int64_t axis = int_attribute(gather, "axis", 0);
  const std::int64_t place = axis < 0 ? axis + rank : axis;
  return place >= 0 && place < rank ? shape[static_cast<std::size_t>(place)] : 1;
}

}  // namespace

SessionOptions with_sizes(const Graph& graph, SessionOptions options) {
  const bool named = has_batch(graph);
  if (named) options.sizes.emplace(kBatch, options.batch);
  for (const Value& input : graph.inputs) {
    for (std::size_t i = 0; i < input.dims.size(); ++i) {
      const Dim& dim = input.dims[i];
      if (dim.known() || dim.symbol.empty() || options.sizes.contains(dim.symbol)) continue;
      if (i == 0 && !named) continue;
      throw InputError(cat("[model] input '",
                           input.name,
                           "' is ",
                           to_string(input.dims),
                           ", expected --size ",
                           dim.symbol,
                           "=N"));
    }
  }
  return options;
}

std::int64_t integers_of(const Graph& graph, std::string_view name) {
  std::set<std::string, std::less<>> same = {std::string(name)};
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (const Node& node : graph.nodes) {
    const bool reads = std::ranges::any_of(
        node.inputs, [&](const std::string& input) { return same.contains(input); });
    if (!reads) continue;
    if (node.op == "Gather" && node.inputs.size() == 2 && same.contains(node.inputs[1])) {
      least = std::min(least, rows_of(graph, node));
    } else if (std::ranges::find(kMoving, node.op) != kMoving.end()) {
      same.insert(node.outputs.begin(), node.outputs.end());
    }
  }
  constexpr std::int64_t kAny = 2;
  return least == std::numeric_limits<std::int64_t>::max() ? kAny : least;
}

std::vector<std::vector<float>> random_inputs(const Graph& graph,
                                              const Session& session,
                                              Random& random) {
  std::vector<std::vector<float>> inputs;
  for (const Port& port : session.inputs()) {
    inputs.emplace_back(static_cast<std::size_t>(element_count(port.shape)));
    if (port.type == DType::kFloat) {
      for (float& x : inputs.back()) x = static_cast<float>(random.uniform());
    } else {
      const auto most = static_cast<std::uint64_t>(integers_of(graph, port.name));
      for (float& x : inputs.back()) x = static_cast<float>(random.below(most));
    }
  }
  return inputs;
}

bool is_selection(const Graph& graph, std::string_view output) {
  return std::ranges::any_of(graph.nodes, [&](const Node& node) {
    return node.op == "NonMaxSuppression" && node.outputs[0] == output;
  });
}

}  // namespace lastbit
