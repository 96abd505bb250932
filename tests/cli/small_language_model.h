#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "lastbit/graph/graph.h"

namespace lastbit {

/// A language model of seven words and one GRU of four units: `tokens` [steps, batch] and
/// `hidden_1` to `logits` [steps, batch, 7] and `next_hidden_1`.
inline Graph small_language_model() {
  constexpr std::int64_t kWords = 7;
  constexpr std::int64_t kUnits = 4;
  const Dim steps = {.size = -1, .symbol = "steps"};
  const Dim batch = {.size = -1, .symbol = "batch"};
  const auto node = [](const std::string& op,
                       std::vector<std::string> inputs,
                       std::vector<std::string> outputs,
                       std::map<std::string, Attribute, std::less<>> attributes = {}) {
    return Node{.name = outputs[0],
                .op = op,
                .domain = {},
                .inputs = std::move(inputs),
                .outputs = std::move(outputs),
                .attributes = std::move(attributes)};
  };
  Graph g;
  const auto fill = [&](const std::string& name, const Shape& shape) {
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = std::sin(static_cast<float>(i * i + name.size()));
    }
    g.initializers.emplace(name, Tensor::floats(shape, values));
  };
  fill("embedding.weight", {kWords, kUnits});
  fill("gru1.input", {1, 3 * kUnits, kUnits});
  fill("gru1.recurrent", {1, 3 * kUnits, kUnits});
  fill("softmax.weight", {kUnits, kWords});
  g.initializers.emplace("one", Tensor::int64s({1}, std::vector<std::int64_t>{1}));
  g.inputs = {{.name = "tokens", .type = DType::kInt64, .dims = {steps, batch}},
              {.name = "hidden_1", .dims = {{1}, batch, {kUnits}}}};
  g.outputs = {{.name = "logits", .dims = {steps, batch, {kWords}}},
               {.name = "next_hidden_1", .dims = {{1}, batch, {kUnits}}}};
  g.nodes = {node("Gather", {"embedding.weight", "tokens"}, {"embedding"}),
             node("GRU",
                  {"embedding", "gru1.input", "gru1.recurrent", "", "", "hidden_1"},
                  {"directions", "next_hidden_1"},
                  {{"hidden_size", kUnits}}),
             node("Squeeze", {"directions", "one"}, {"hiddens"}),
             node("MatMul", {"hiddens", "softmax.weight"}, {"logits"})};
  return g;
}

}  // namespace lastbit
