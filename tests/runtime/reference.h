#pragma once

#include <cmath>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/graph/graph.h"
#include "lastbit/graph/shapes.h"
#include "lastbit/runtime/session.h"

namespace lastbit::reference {

// Unit roundoff of float32.
inline constexpr double kEps = 0x1p-24;

/// A value in double precision, and how far a float32 evaluation may be from it.
///
/// A sum of n terms in any order is off by at most n * eps * (sum of magnitudes), to first order
/// (Higham 2002, section 4.2), plus the errors of its terms; functions of one value pass on the
/// error times their largest slope and add a few roundings of their own.
struct Number {
  double value = 0.0;
  double error = 0.0;
};

/// Collects a sum of products.
class Sum {
 public:
  void add(Number a, Number b) {
    value_ += a.value * b.value;
    magnitude_ += (std::abs(a.value) + a.error) * (std::abs(b.value) + b.error);
    error_ += std::abs(a.value) * b.error + std::abs(b.value) * a.error + a.error * b.error;
    ++terms_;
  }
  void add(Number a) { add(a, {1.0, 0.0}); }
  /// @param roundings  of the result, after the sum.
  Number result(int roundings = 4) const {
    return {value_, error_ + (terms_ + roundings) * kEps * magnitude_};
  }

 private:
  double value_ = 0.0;
  double magnitude_ = 0.0;
  double error_ = 0.0;
  int terms_ = 0;
};

struct Array {
  Shape shape;
  std::vector<Number> data;
};

using Arrays = std::map<std::string, Array, std::less<>>;

/// Evaluates `graph` operator by operator, in the words of ONNX's specification: no plan, no tiles.
Arrays evaluate(const Graph& graph,
                std::int64_t batch,
                const std::vector<std::vector<float>>& inputs);

/// Runs `session` on `inputs`, one vector an input.
inline std::vector<std::vector<float>> run(Session& session,
                                           const std::vector<std::vector<float>>& inputs) {
  std::vector<std::span<const float>> in(inputs.begin(), inputs.end());
  std::vector<std::vector<float>> outputs;
  for (const Port& port : session.outputs()) {
    outputs.emplace_back(static_cast<std::size_t>(element_count(port.shape)), std::nanf(""));
  }
  std::vector<std::span<float>> out(outputs.begin(), outputs.end());
  session.run(in, out);
  return outputs;
}

inline std::vector<float> random_floats(std::size_t count, Random& random, double limit = 1.0) {
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(random.uniform(-limit, limit));
  return values;
}

inline std::vector<std::vector<float>> random_inputs(const Session& session, Random& random) {
  std::vector<std::vector<float>> inputs;
  for (const Port& port : session.inputs()) {
    inputs.push_back(random_floats(static_cast<std::size_t>(element_count(port.shape)), random));
  }
  return inputs;
}

/// Expects a session on `graph` to give the reference's outputs for random inputs.
inline void expect_agreement(const Graph& graph, Random& random, SessionOptions options = {}) {
  Session session(graph, options);
  const auto inputs = random_inputs(session, random);
  const auto outputs = run(session, inputs);
  const Arrays expected = evaluate(graph, options.batch, inputs);
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    const Array& array = expected.at(session.outputs()[o].name);
    ASSERT_EQ(session.outputs()[o].shape, array.shape);
    for (std::size_t i = 0; i < array.data.size(); ++i) {
      ASSERT_NEAR(outputs[o][i], array.data[i].value, array.data[i].error + 1e-37)
          << session.outputs()[o].name << "[" << i << "] of " << array.data.size();
    }
  }
}

inline Node node(std::string op,
                 std::vector<std::string> inputs,
                 std::map<std::string, Attribute, std::less<>> attributes = {},
                 std::string output = "y") {
  return {.name = op + " " + output,
          .op = op,
          .domain = {},
          .inputs = std::move(inputs),
          .outputs = {std::move(output)},
          .attributes = std::move(attributes)};
}

inline Value value(std::string name, const Shape& shape) {
  Value v{.name = std::move(name), .type = DType::kFloat, .dims = {}};
  for (const std::int64_t size : shape) v.dims.push_back({.size = size, .symbol = {}});
  return v;
}

/// A graph of one input "x" and one output "y".
inline Graph single(const Shape& input, std::vector<Node> nodes) {
  Graph graph;
  graph.inputs = {value("x", input)};
  graph.outputs = {value("y", {})};
  graph.nodes = std::move(nodes);
  return graph;
}

/// `graph` with its weights projected onto the set `set`, as "ternary/tensor".
Graph quantized(Graph graph, const std::string& set);

inline void add_random(Graph& graph, const std::string& name, const Shape& shape, Random& random) {
  const auto count = static_cast<std::size_t>(element_count(shape));
  graph.initializers.insert_or_assign(name, Tensor::floats(shape, random_floats(count, random)));
}

}  // namespace lastbit::reference
