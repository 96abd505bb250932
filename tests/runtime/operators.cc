#include "lastbit/runtime/operators.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/graph/shapes.h"
#include "reference.h"
#include "selections.h"

// Every operator but those with a window (windows.cc) against a plain evaluation in double
// precision.

namespace lastbit {
namespace {

using reference::add_random;
using reference::expect_agreement;
using reference::node;
using reference::single;

constexpr std::int64_t kSizes[] = {1, 2, 3, 5, 7, 17, 33};

std::int64_t pick(Random& random) { return kSizes[random.below(std::size(kSizes))]; }

void expect_unary(const std::string& op,
                  const std::map<std::string, Attribute, std::less<>>& attributes) {
  Random random(1);
  for (const std::int64_t size : {1, 2, 3, 5, 7, 17, 33, 5000}) {
    SCOPED_TRACE(size);
    Graph graph = single({2, size}, {});
    add_random(graph, "wide", {1}, random);
    // The range reaches where tanh and the sigmoid are flat.
    graph.initializers.insert_or_assign("wide", Tensor::scalar(12.0F));
    graph.nodes = {node("Mul", {"x", "wide"}, {}, "h"), node(op, {"h"}, attributes)};
    expect_agreement(graph, random);
  }
}

TEST(Operators, Relu) { expect_unary("Relu", {}); }
TEST(Operators, LeakyRelu) { expect_unary("LeakyRelu", {{"alpha", 0.3F}}); }
TEST(Operators, LeakyReluWithItsDefaultSlope) { expect_unary("LeakyRelu", {}); }
TEST(Operators, Sigmoid) { expect_unary("Sigmoid", {}); }
TEST(Operators, Tanh) { expect_unary("Tanh", {}); }
TEST(Operators, Identity) { expect_unary("Identity", {}); }
TEST(Operators, Dropout) { expect_unary("Dropout", {}); }
TEST(Operators, FlattenAtTheLastAxis) { expect_unary("Flatten", {{"axis", std::int64_t{-1}}}); }

TEST(Operators, ClipWithEveryChoiceOfBounds) {
  Random random(2);
  for (const auto& bounds : {std::vector<std::string>{}, {"low"}, {"low", "high"}, {"", "high"}}) {
    Graph graph = single({3, 17}, {});
    graph.initializers.emplace("low", Tensor::scalar(-0.25F));
    graph.initializers.emplace("high", Tensor::scalar(0.5F));
    std::vector<std::string> inputs = {"x"};
    inputs.insert(inputs.end(), bounds.begin(), bounds.end());
    graph.nodes = {node("Clip", inputs)};
    expect_agreement(graph, random);
  }
}

class EveryBinary : public testing::TestWithParam<const char*> {};

TEST_P(EveryBinary, BroadcastsConstantsAndComputedValues) {
  Random random(3);
  const std::vector<std::pair<Shape, Shape>> shapes = {{{2, 3, 5}, {2, 3, 5}},
                                                       {{2, 3, 5}, {5}},
                                                       {{2, 3, 5}, {3, 1}},
                                                       {{2, 3, 5}, {}},
                                                       {{2, 3, 5}, {2, 1, 1}},
                                                       {{2, 1, 5}, {3, 1}},
                                                       {{5}, {2, 3, 1}},
                                                       {{1}, {1}},
                                                       {{7, 1, 17, 1}, {1, 3, 1, 2}}};
  for (const auto& [a, b] : shapes) {
    SCOPED_TRACE(to_string(a) + " and " + to_string(b));
    for (const bool swapped : {false, true}) {
      Graph graph = single(a, {});
      // Away from 0, for Div.
      std::vector<float> values(static_cast<std::size_t>(element_count(b)));
      for (float& v : values) v = static_cast<float>(random.uniform(0.5, 2.0));
      graph.initializers.emplace("c", Tensor::floats(b, values));
      graph.initializers.emplace("three", Tensor::scalar(3.0F));
      graph.nodes = {
          node("Add", {"x", "three"}, {}, "h"),
          node(GetParam(),
               swapped ? std::vector<std::string>{"c", "h"} : std::vector<std::string>{"h", "c"})};
      expect_agreement(graph, random);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Operators, EveryBinary, testing::Values("Add", "Sub", "Mul", "Div"));

TEST(Operators, GemmInEveryFormAndManySizes) {
  Random random(4);
  for (int round = 0; round < 150; ++round) {
    const std::int64_t rows = pick(random);
    const std::int64_t depth = pick(random);
    const std::int64_t columns = pick(random);
    const auto ta = static_cast<std::int64_t>(random.below(2));
    const auto tb = static_cast<std::int64_t>(random.below(2));
    SCOPED_TRACE(testing::Message() << "round " << round << ": " << rows << " x " << depth << " x "
                                    << columns << ", transA " << ta << ", transB " << tb);
    Graph graph = single(ta != 0 ? Shape{depth, rows} : Shape{rows, depth}, {});
    add_random(graph, "w", tb != 0 ? Shape{columns, depth} : Shape{depth, columns}, random);
    std::vector<std::string> inputs = {"x", "w"};
    const Shape biases[] = {{columns}, {rows, columns}, {rows, 1}, {1, columns}, {}, {1}};
    if (random.below(4) > 0) {
      add_random(graph, "c", biases[random.below(std::size(biases))], random);
      inputs.emplace_back("c");
    }
    graph.nodes = {node("Gemm",
                        inputs,
                        {{"transA", ta},
                         {"transB", tb},
                         {"alpha", static_cast<float>(random.uniform(-2, 2))},
                         {"beta", random.below(3) == 0 ? 0.0F : 0.5F}})};
    expect_agreement(graph, random);
  }
}

TEST(Operators, MatMulWithAConstantOfEveryRank) {
  Random random(5);
  for (int round = 0; round < 100; ++round) {
    SCOPED_TRACE(round);
    const std::int64_t depth = pick(random);
    Shape left;
    for (std::uint64_t i = random.below(3); i > 0; --i)
      left.push_back(static_cast<std::int64_t>(1 + random.below(3)));
    left.push_back(depth);
    Shape right = {depth};
    if (random.below(4) > 0) right.push_back(pick(random));
    if (random.below(4) == 0 && right.size() == 2) right.insert(right.begin(), 1);
    Graph graph = single(left, {node("MatMul", {"x", "w"})});
    add_random(graph, "w", right, random);
    expect_agreement(graph, random);
  }
}

TEST(Operators, MatMulOfTwoComputedValuesInBatches) {
  Random random(6);
  const std::vector<std::pair<Shape, Shape>> shapes = {{{3, 5}, {5, 7}},
                                                       {{2, 3, 5}, {5, 7}},
                                                       {{2, 3, 5}, {2, 5, 7}},
                                                       {{4, 1, 3, 5}, {2, 5, 1}},
                                                       {{5}, {2, 5, 3}},
                                                       {{2, 3, 5}, {5}}};
  for (const auto& [a, b] : shapes) {
    Graph graph = single(a, {node("Relu", {"x2"}, {}, "b"), node("MatMul", {"x", "b"})});
    graph.inputs.push_back(reference::value("x2", b));
    expect_agreement(graph, random);
  }
}

TEST(Operators, MatMulTakesAnAddAndAnActivationIntoOneStep) {
  Random random(7);
  for (const bool swapped : {false, true}) {
    Graph graph = single({3, 17}, {});
    add_random(graph, "w", {17, 5}, random);
    add_random(graph, "b", {5}, random);
    using Names = std::vector<std::string>;
    graph.nodes = {node("MatMul", {"x", "w"}, {}, "h"),
                   node("Add", swapped ? Names{"b", "h"} : Names{"h", "b"}, {}, "g"),
                   node("Tanh", {"g"})};
    expect_agreement(graph, random);
    Graph apart = graph;
    apart.outputs.push_back(reference::value("h", {}));
    apart.outputs.push_back(reference::value("g", {}));
    expect_agreement(apart, random);
  }
}

TEST(Operators, AnActivationIsAppliedToItsOwnReaderAlone) {
  Random random(8);
  Graph graph = single({2, 7}, {});
  add_random(graph, "w", {5, 7}, random);
  graph.nodes = {node("Gemm", {"x", "w"}, {{"transB", std::int64_t{1}}}, "h"),
                 node("Relu", {"h"}, {}, "r"),
                 node("Sub", {"h", "r"})};
  expect_agreement(graph, random);
}

TEST(Operators, SoftmaxAlongEveryAxis) {
  Random random(9);
  for (const std::string op : {"Softmax", "LogSoftmax"}) {
    for (std::int64_t axis = -3; axis < 3; ++axis) {
      Graph graph = single({3, 7, 5}, {});
      graph.initializers.emplace("wide", Tensor::scalar(30.0F));
      graph.nodes = {node("Mul", {"x", "wide"}, {}, "h"), node(op, {"h"}, {{"axis", axis}})};
      expect_agreement(graph, random);
    }
  }
}

TEST(Operators, SoftmaxOfLargeValuesDoesNotOverflow) {
  const Graph graph = single({1, 3}, {node("Softmax", {"x"})});
  Session session(graph);
  const auto y = reference::run(session, {{1000.0F, 1000.0F, -1000.0F}});
  EXPECT_THAT(y[0], testing::ElementsAre(0.5F, 0.5F, 0.0F));
}

TEST(Operators, BatchNormalizationOfEveryRank) {
  Random random(10);
  for (const Shape& shape : {Shape{3, 5}, {2, 5, 7}, {2, 5, 3, 4}}) {
    Graph graph = single(
        shape, {node("BatchNormalization", {"x", "s", "b", "m", "v"}, {{"epsilon", 1e-3F}})});
    for (const char* name : {"s", "b", "m"}) add_random(graph, name, {5}, random);
    graph.initializers.emplace(
        "v", Tensor::floats({5}, std::vector<float>{0.0F, 0.5F, 1.0F, 2.0F, 100.0F}));
    expect_agreement(graph, random);
  }
}

TEST(Operators, TransposeInEveryOrder) {
  Random random(11);
  std::vector<std::int64_t> order = {0, 1, 2, 3};
  do {
    expect_agreement(single({2, 3, 1, 5}, {node("Transpose", {"x"}, {{"perm", order}})}), random);
  } while (std::next_permutation(order.begin(), order.end()));
  expect_agreement(single({2, 3, 5}, {node("Transpose", {"x"})}), random);
}

TEST(Operators, ConcatAlongEveryAxis) {
  Random random(12);
  for (std::int64_t axis = -3; axis < 3; ++axis) {
    Graph graph = single({2, 3, 5}, {});
    Shape other = {2, 3, 5};
    other[static_cast<std::size_t>(axis < 0 ? axis + 3 : axis)] = 7;
    add_random(graph, "c", other, random);
    graph.nodes = {node("Tanh", {"x"}, {}, "t"), node("Concat", {"x", "c", "t"}, {{"axis", axis}})};
    expect_agreement(graph, random);
  }
}

TEST(Operators, TakePartsAndPutBordersInBothLayouts) {
  Random random(16);
  for (const bool inner : {false, true}) {
    const std::vector<Graph> graphs = reference::selections(inner, random);
    for (std::size_t i = 0; i < graphs.size(); ++i) {
      SCOPED_TRACE(i);
      expect_agreement(graphs[i], random);
    }
  }
}

TEST(Operators, ReshapesShareTheirValues) {
  Random random(13);
  Graph graph = single({2, 3, 4}, {});
  graph.initializers.emplace("shape", Tensor::int64s({2}, std::vector<std::int64_t>{-1, 6}));
  graph.initializers.emplace("axes", Tensor::int64s({1}, std::vector<std::int64_t>{1}));
  graph.nodes = {node("Reshape", {"x", "shape"}, {}, "a"),
                 node("Unsqueeze", {"a", "axes"}, {}, "b"),
                 node("Relu", {"b"}, {}, "c"),
                 node("Squeeze", {"c", "axes"}, {}, "d"),
                 node("Flatten", {"d"}, {{"axis", std::int64_t{0}}})};
  graph.outputs = {reference::value("y", {}), reference::value("a", {}), reference::value("x", {})};
  expect_agreement(graph, random);
  Session session(graph);
  EXPECT_EQ(session.arena_bytes(), 192U)
      << "one buffer of 24 floats and a line for reads beyond them, in whole lines of 64 bytes";
}

TEST(Operators, NodesOfConstantsAreComputedOnce) {
  Random random(15);
  Graph graph = single({2, 3, 5, 5}, {});
  add_random(graph, "a", {4, 3, 1, 1}, random);
  add_random(graph, "b", {3, 1, 1}, random);
  add_random(graph, "c", {3}, random);
  graph.nodes = {node("Mul", {"a", "b"}, {}, "ab"),
                 node("Tanh", {"ab"}, {}, "w"),
                 node("Sigmoid", {"c"}, {}, "s"),
                 node("Transpose", {"w"}, {{"perm", std::vector<std::int64_t>{1, 0, 2, 3}}}, "t"),
                 node("Conv", {"x", "w"}, {}, "u"),
                 node("Conv", {"u", "t"})};
  graph.outputs.push_back(reference::value("s", {}));
  expect_agreement(graph, random);
  const Session session(graph);
  for (const StepInfo& step : session.steps()) {
    EXPECT_TRUE(step.kind == "Conv" || step.kind == "relayout" || step.kind == "pad") << step.kind;
  }
}

TEST(Operators, ConstantsMayBeOutputsAndAliases) {
  Random random(14);
  Graph graph = single({2, 6}, {});
  add_random(graph, "c", {3, 4}, random);
  graph.initializers.emplace("shape", Tensor::int64s({2}, std::vector<std::int64_t>{6, 2}));
  graph.nodes = {node("Reshape", {"c", "shape"}, {}, "w"), node("MatMul", {"x", "w"})};
  graph.outputs.push_back(reference::value("w", {}));
  expect_agreement(graph, random);
}

TEST(Operators, AreThoseOfShapeInference) {
  std::vector<std::string> names = {"Constant"};  // no step: the plan takes its value
  for (const RuntimeOperator& row : runtime_operators()) names.emplace_back(row.name);
  EXPECT_THAT(names, testing::UnorderedElementsAreArray(known_operators()));
}

TEST(Operators, ConstantNodesAreInitializers) {
  Random random(15);
  Graph graph = single({2, 3}, {});
  Node constant =
      node("Constant", {}, {{"value_floats", std::vector<float>{1.0F, 2.0F, 3.0F}}}, "c");
  graph.nodes = {constant, node("Mul", {"x", "c"})};
  Session session(graph);
  EXPECT_THAT(reference::run(session, {{1, 1, 1, 2, 2, 2}})[0],
              testing::ElementsAre(1, 2, 3, 2, 4, 6));
}

// A Reshape gives the same floats another shape, which lies otherwise with channels last.
TEST(Operators, ValuesOfTwoShapesThatShareTheirFloatsLieApart) {
  Random random(31);
  for (const std::int64_t channels : {1, 4}) {
    Graph graph = single({2, channels, 6, 4}, {});
    graph.initializers.emplace(
        "shape", Tensor::int64s({4}, std::vector<std::int64_t>{2, channels * 3, 2, 4}));
    graph.initializers.emplace("long",
                               Tensor::int64s({4}, std::vector<std::int64_t>{2, channels, 24, 1}));
    add_random(graph, "a", {3, channels, 1, 1}, random);
    add_random(graph, "b", {5, channels * 3, 1, 1}, random);
    add_random(graph, "c", {3, channels, 1, 1}, random);
    graph.nodes = {node("Conv", {"x", "a"}, {}, "y"),
                   node("Reshape", {"x", "shape"}, {}, "r"),
                   node("Conv", {"r", "b"}, {{"pads", std::vector<std::int64_t>{1, 0, 0, 1}}}, "z"),
                   node("Reshape", {"x", "long"}, {}, "l"),
                   node("Conv", {"l", "c"}, {}, "w")};
    graph.outputs.push_back(reference::value("z", {}));
    graph.outputs.push_back(reference::value("w", {}));
    expect_agreement(graph, random);
    graph = reference::quantized(graph, "ternary");
    expect_agreement(graph, random);
  }
}

}  // namespace
}  // namespace lastbit
