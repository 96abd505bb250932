#pragma once

#include <limits>
#include <string>
#include <vector>

#include "tests/runtime/reference.h"

namespace lastbit::reference {

/// Graphs of one Slice or Pad of x [2, 5, 6, 7], through a convolution's result where `inner`: with
/// values that lie channels last.
inline std::vector<Graph> selections(bool inner, Random& random) {
  using Ints = std::vector<std::int64_t>;
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
  std::vector<Graph> graphs;
  const auto add = [&](const std::string& op,
                       const std::vector<Ints>& integers,
                       std::map<std::string, Attribute, std::less<>> attributes = {}) {
    Graph graph = single({2, 5, 6, 7}, {});
    std::vector<std::string> inputs = {inner ? "c" : "x"};
    for (std::size_t i = 0; i < integers.size(); ++i) {
      if (integers[i].empty()) {
        inputs.emplace_back(op == "Pad" && i == 1 ? "value" : "");
        continue;
      }
      inputs.push_back("list" + std::to_string(i));
      graph.initializers.emplace(
          inputs.back(),
          Tensor::int64s({static_cast<std::int64_t>(integers[i].size())}, integers[i]));
    }
    if (op == "Pad") graph.initializers.emplace("value", Tensor::scalar(0.5F));
    if (inner) {
      add_random(graph, "w", {5, 5, 1, 1}, random);
      graph.nodes.push_back(node("Conv", {"x", "w"}, {}, "c"));
    }
    graph.nodes.push_back(node(op, inputs, std::move(attributes)));
    graphs.push_back(std::move(graph));
  };
  add("Slice", {{0, 0}, {kMost, kMost}, {2, 3}, {2, 2}});  // the shortcut of a ResNet for CIFAR
  add("Slice", {{0, 1}, {2, 4}});
  add("Slice", {{-3}, {-1}, {-1}});
  add("Slice", {{1000, -1}, {kLeast, 1}, {3, 1}, {-1, -2}});
  add("Slice", {{5}, {kLeast}, {2}, {-4}});
  add("Slice", {{1, 2, 3}, {5, 6, 7}, {1, 2, 3}, {3, 2, std::int64_t{1} << 40}});
  add("Slice", {{4}, {0}, {-3}, {kLeast}});
  add("Pad", {{0, 2, 0, 0, 0, 3, 0, 0}, {}});  // channels, as that shortcut has it
  add("Pad", {{0, 0, 1, 2, 0, 0, 3, 0}});
  add("Pad", {{1, 1, 1, 1, 1, 1, 1, 1}, {}});
  add("Pad", {{0, -2, 0, 3, 0, 1, -4, -7}, {}});
  add("Pad", {{4, 2}, {}, {-1}});
  add("Pad", {{0, 0, 5, 6, 0, 0, 5, 6}, {}}, {{"mode", std::string("reflect")}});
  add("Pad", {{0, 4, 0, 1, 0, 4, 0, 0}, {}}, {{"mode", std::string("reflect")}});
  add("Pad", {{1, 9, 8, 1, 0, 3, 0, 11}, {}}, {{"mode", std::string("edge")}});
  add("Pad", {{0, 0, -2, 1, 0, 0, 3, 0}, {}}, {{"mode", std::string("edge")}});
  return graphs;
}

}  // namespace lastbit::reference
