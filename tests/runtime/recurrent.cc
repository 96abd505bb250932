#include "recurrent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/runtime/session.h"

// LSTM and GRU against ONNX's formulas in double precision.

namespace lastbit {
namespace {

using reference::RecurrentCase;
using testing::HasSubstr;

// A state is a mean of values within -1 and 1, or a product with one, so errors do not grow from
// step to step; sums of some tens of terms of about 1 are off by 1e-6.
constexpr double kTolerance = 1e-5;

std::string describe(const RecurrentCase& c) {
  return cat(c.op,
             " ",
             c.direction,
             " batch ",
             c.batch,
             " hidden ",
             c.hidden,
             c.reset_after ? " reset after" : "");
}

void expect_formulas(const RecurrentCase& which,
                     const std::string& set,
                     Random& random,
                     const SessionOptions& options,
                     double tolerance = kTolerance) {
  Graph graph = which.graph(random);
  if (set != "float") graph = reference::quantized(std::move(graph), set);
  Session session(graph, options);
  const auto inputs = reference::random_inputs(session, random);
  const auto outputs = reference::run(session, inputs);
  const auto expected = evaluate_recurrent(which, graph, inputs);
  ASSERT_EQ(outputs.size(), expected.size());
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    ASSERT_EQ(outputs[o].size(), expected[o].size());
    for (std::size_t i = 0; i < outputs[o].size(); ++i) {
      ASSERT_NEAR(outputs[o][i], expected[o][i], tolerance)
          << describe(which) << ", " << set << ", output " << o << " at " << i;
    }
  }
}

std::vector<RecurrentCase> every_kind() {
  std::vector<RecurrentCase> cases;
  for (const char* direction : {"forward", "reverse", "bidirectional"}) {
    cases.push_back({.op = "LSTM", .direction = direction});
    cases.push_back({.op = "GRU", .direction = direction});
    cases.push_back({.op = "GRU", .direction = direction, .reset_after = true});
  }
  return cases;
}

TEST(Recurrent, FollowsTheFormulasForEveryKindAndBatch) {
  Random random(1);
  for (RecurrentCase which : every_kind()) {
    for (const std::int64_t batch : {1, 2, 3, 19}) {
      which.batch = batch;
      expect_formulas(which, "float", random, {});
      expect_formulas(which, "ternary/tensor", random, {});
    }
  }
}

TEST(Recurrent, FollowsTheFormulasWithEverySetOfWeights) {
  Random random(2);
  for (RecurrentCase which : every_kind()) {
    which.batch = 2;
    for (const char* set : {"binary/tensor",
                            "ternary/channel",
                            "shift:2/tensor",
                            "kmeans:4",
                            "ternary/group:3",
                            "ternary/gate"}) {
      expect_formulas(which, set, random, {});
    }
  }
}

TEST(Recurrent, FollowsTheFormulasWithEverySetOfKernels) {
  Random random(3);
  for (const char* kernels : {"scalar", "baseline"}) {
    for (RecurrentCase which : every_kind()) {
      expect_formulas(which, "ternary/channel", random, {.kernels = kernels});
    }
  }
}

TEST(Recurrent, FollowsTheFormulasForWidthsOfManyBlocks) {
  Random random(4);
  for (const std::int64_t batch : {1, 4}) {
    for (const char* op : {"LSTM", "GRU"}) {
      expect_formulas({.op = op, .steps = 3, .batch = batch, .inputs = 130, .hidden = 100},
                      "ternary/tensor",
                      random,
                      {});
    }
  }
}

TEST(Recurrent, DoesWithoutBiasesAndStates) {
  Random random(5);
  for (RecurrentCase which : every_kind()) {
    which.bias = false;
    which.states = false;
    expect_formulas(which, "float", random, {});
  }
}

TEST(Recurrent, IsNearTheFormulasWithIntegers) {
  // A state of 8 bits is off by 1/254 of the largest at most, and a sum of `hidden` such by as much
  // as their number times the scale; here about 0.02.
  Random random(6);
  for (RecurrentCase which : every_kind()) {
    for (const std::int64_t batch : {1, 9}) {
      which.batch = batch;
      expect_formulas(which, "ternary/tensor", random, {.activations = Activations::kInt8}, 0.05);
    }
  }
}

TEST(Recurrent, GivesTheSameInPiecesAsAtOnce) {
  Random random(7);
  for (RecurrentCase which : every_kind()) {
    if (which.direction != "forward") continue;  // others need the end first
    which.steps = 6;
    which.batch = 3;
    const Graph whole = reference::quantized(which.graph(random), "ternary/tensor");
    Session at_once(whole);
    const auto inputs = reference::random_inputs(at_once, random);
    const auto expected = reference::run(at_once, inputs);
    auto states = inputs;
    std::vector<float> y;
    for (const auto& [first, count] : {std::pair{0, 1}, {1, 2}, {3, 3}}) {
      Graph piece = whole;
      piece.inputs[0].dims[0].size = count;
      Session session(piece);
      const auto row = static_cast<std::ptrdiff_t>(which.batch * which.inputs);
      states[0].assign(inputs[0].begin() + first * row, inputs[0].begin() + (first + count) * row);
      const auto outputs = reference::run(session, states);
      y.insert(y.end(), outputs[0].begin(), outputs[0].end());
      for (std::size_t i = 1; i < outputs.size(); ++i) states[i] = outputs[i];
    }
    ASSERT_EQ(y.size(), expected[0].size());
    for (std::size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], expected[0][i], 1e-6);
    for (std::size_t o = 1; o < expected.size(); ++o) {
      for (std::size_t i = 0; i < states[o].size(); ++i) {
        ASSERT_NEAR(states[o][i], expected[o][i], 1e-6);
      }
    }
  }
}

TEST(Recurrent, DoesNotDependOnTheNumberOfThreads) {
  Random random(8);
  for (const char* op : {"LSTM", "GRU"}) {
    for (const Activations activations : {Activations::kFloat, Activations::kInt8}) {
      // Enough work for threads to be woken.
      const RecurrentCase which{.op = op,
                                .direction = "bidirectional",
                                .steps = 12,
                                .batch = 20,
                                .inputs = 32,
                                .hidden = 52};
      const Graph graph = reference::quantized(which.graph(random), "ternary/tensor");
      Session one(graph, {.activations = activations});
      Session three(graph, {.threads = 3, .activations = activations});
      const auto inputs = reference::random_inputs(one, random);
      EXPECT_EQ(reference::run(one, inputs), reference::run(three, inputs)) << op;
    }
  }
}

TEST(Recurrent, ResultsOfASequenceDoNotDependOnItsPlaceInTheBatch) {
  Random random(9);
  const RecurrentCase which{.op = "GRU", .batch = 11, .states = false};
  Session session(which.graph(random));
  auto inputs = reference::random_inputs(session, random);
  for (std::int64_t t = 0; t < which.steps; ++t) {
    float* row = inputs[0].data() + t * which.batch * which.inputs;
    std::copy_n(row, which.inputs, row + 10 * which.inputs);
  }
  const auto last = reference::run(session, inputs)[1];
  for (std::int64_t i = 0; i < which.hidden; ++i) {
    EXPECT_EQ(last[static_cast<std::size_t>(i)],
              last[static_cast<std::size_t>(10 * which.hidden + i)]);
  }
}

TEST(Recurrent, WritesOnlyTheOutputsThatAreAskedFor) {
  Random random(10);
  const RecurrentCase which{.op = "LSTM", .states = false};
  Graph graph = which.graph(random);
  Session all(graph);
  const auto inputs = reference::random_inputs(all, random);
  const auto expected = reference::run(all, inputs);
  graph.nodes[0].outputs = {"", "", "y_c"};
  graph.outputs = {reference::value("y_c", {})};
  Session session(graph);
  EXPECT_EQ(reference::run(session, inputs)[0], expected[2]);
}

TEST(Recurrent, StacksLayers) {
  Random random(11);
  const RecurrentCase first{.op = "LSTM", .direction = "bidirectional", .states = false};
  const RecurrentCase second{.op = "GRU", .inputs = 18, .reset_after = true, .states = false};
  Graph graph = first.graph(random);
  const Graph below = graph;
  const Graph above = second.graph(random);
  for (const char* name : {"w", "r", "b"}) {
    graph.initializers.emplace(cat(name, "2"), *above.find_initializer(name));
  }
  graph.initializers.emplace("shape", Tensor::int64s({3}, std::vector<std::int64_t>{0, 0, -1}));
  // [steps, directions, batch, hidden] to [steps, batch, directions * hidden]
  graph.nodes.push_back(reference::node(
      "Transpose", {"y"}, {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}}, "turned"));
  graph.nodes.push_back(reference::node("Reshape", {"turned", "shape"}, {}, "flat"));
  Node layer = above.nodes[0];
  layer.inputs = {"flat", "w2", "r2", "b2"};
  layer.outputs = {"", "z"};
  graph.nodes.push_back(layer);
  graph.outputs = {reference::value("z", {})};

  Session session(graph);
  const auto inputs = reference::random_inputs(session, random);
  const std::vector<double> y = evaluate_recurrent(first, below, inputs)[0];
  // With a batch of 1 the two directions of a step lie side by side already.
  const std::vector<float> flat(y.begin(), y.end());
  const std::vector<double> expected = evaluate_recurrent(second, above, {flat})[1];
  const std::vector<float> z = reference::run(session, inputs)[0];
  ASSERT_EQ(z.size(), expected.size());
  for (std::size_t i = 0; i < z.size(); ++i) EXPECT_NEAR(z[i], expected[i], kTolerance);
}

TEST(Recurrent, KeepsLowBitWeightsPacked) {
  Random random(12);
  const RecurrentCase which{.inputs = 128, .hidden = 128};
  const Graph graph = which.graph(random);
  const std::size_t floats = Session(graph).weight_bytes();
  // Two bits a weight where codes are read, and at most the 32 / 15 of lookups, with tables and
  // scales.
  EXPECT_LT(Session(reference::quantized(graph, "ternary/tensor")).weight_bytes() * 10, floats);
}

TEST(Recurrent, ConstantLengthsOfWholeSequencesAreTaken) {
  Random random(13);
  const RecurrentCase which{.batch = 2};
  Graph graph = which.graph(random);
  const std::vector<std::int32_t> lengths{5, 5};
  graph.initializers.emplace("lengths",
                             Tensor(DType::kInt32, {2}, std::as_bytes(std::span(lengths))));
  graph.nodes[0].inputs[4] = "lengths";
  Session session(graph);
  const auto inputs = reference::random_inputs(session, random);
  EXPECT_NEAR(reference::run(session, inputs)[1][0],
              evaluate_recurrent(which, graph, inputs)[1][0],
              kTolerance);
}

TEST(Recurrent, RefusesComputedWeights) {
  Random random(14);
  for (const char* weight : {"w", "r", "b"}) {
    Graph graph = RecurrentCase{}.graph(random);
    graph.inputs.push_back(reference::value(weight, shape_of(*graph.find_initializer(weight))));
    graph.initializers.erase(weight);
    try {
      const Session session(graph);
      FAIL();
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(cat("(LSTM): input '", weight, "' is computed")));
    }
  }
}

TEST(Recurrent, SurvivesTheFile) {
  Random random(15);
  const Graph graph = reference::quantized(RecurrentCase{}.graph(random), "ternary/channel");
  const std::string bytes = serialize_onnx(graph);
  const Graph read = parse_onnx(std::as_bytes(std::span(bytes)));
  Session before(graph);
  Session after(read);
  const auto inputs = reference::random_inputs(before, random);
  EXPECT_EQ(reference::run(before, inputs), reference::run(after, inputs));
}

}  // namespace
}  // namespace lastbit
