#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "lastbit/graph/graph.h"
#include "lastbit/graph/parameters.h"
#include "reference.h"

namespace lastbit::reference {

/// One LSTM or GRU, "x" [steps, batch, inputs] to "y", "y_h" and "y_c", with random parameters.
struct RecurrentCase {
  std::string op = "LSTM";
  std::string direction = "forward";
  std::int64_t steps = 5;
  std::int64_t batch = 1;
  std::int64_t inputs = 7;
  std::int64_t hidden = 9;
  bool reset_after = false;
  bool bias = true;
  bool states = true;  ///< initial_h and initial_c are inputs of the graph.

  std::int64_t gates() const { return op == "LSTM" ? 4 : 3; }
  std::int64_t directions() const { return direction == "bidirectional" ? 2 : 1; }

  Graph graph(Random& random) const {
    Graph g;
    g.inputs = {value("x", {steps, batch, inputs})};
    const std::int64_t columns = gates() * hidden;
    add_random(g, "w", {directions(), columns, inputs}, random);
    add_random(g, "r", {directions(), columns, hidden}, random);
    if (bias) add_random(g, "b", {directions(), 2 * columns}, random);
    Node layer = node(op, {"x", "w", "r", bias ? "b" : ""}, {{"direction", direction}});
    layer.attributes.emplace("hidden_size", hidden);
    if (reset_after) layer.attributes.emplace("linear_before_reset", std::int64_t{1});
    layer.outputs.emplace_back("y_h");
    if (op == "LSTM") layer.outputs.emplace_back("y_c");
    if (states) {
      g.inputs.push_back(value("h", {directions(), batch, hidden}));
      layer.inputs.insert(layer.inputs.end(), {"", "h"});
      if (op == "LSTM") {
        g.inputs.push_back(value("c", {directions(), batch, hidden}));
        layer.inputs.emplace_back("c");
      }
    }
    for (const std::string& output : layer.outputs) g.outputs.push_back(value(output, {}));
    g.nodes = {std::move(layer)};
    return g;
  }
};

/// What `graph`, made by `which`, computes: ONNX's formulas in double precision, one value at a
/// time.
/// @return y, y_h and, for LSTM, y_c.
std::vector<std::vector<double>> evaluate_recurrent(const RecurrentCase& which,
                                                    const Graph& graph,
                                                    const std::vector<std::vector<float>>& inputs);

}  // namespace lastbit::reference
