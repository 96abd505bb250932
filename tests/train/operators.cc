#include "lastbit/train/operators.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agreement.h"
#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/shapes.h"
#include "tests/runtime/selections.h"

// Every operator but those with a window (windows.cc) against a plain evaluation in double
// precision and the runtime.

namespace lastbit {
namespace {

using reference::add_random;
using reference::node;
using reference::single;

using Attributes = std::map<std::string, Attribute, std::less<>>;

void expect_unary(const std::string& op, const Attributes& attributes = {}) {
  Random random(1);
  for (const Shape& shape : {Shape{1, 1}, {2, 17}, {2, 3, 5, 7}}) {
    SCOPED_TRACE(to_string(shape));
    Graph graph = single(shape, {});
    // The range reaches where tanh and the sigmoid are flat.
    graph.initializers.emplace("wide", Tensor::scalar(12.0F));
    graph.nodes = {node("Mul", {"x", "wide"}, {}, "h"), node(op, {"h"}, attributes)};
    expect_agreement(graph, random);
  }
}

TEST(Operators, Relu) { expect_unary("Relu"); }
TEST(Operators, LeakyRelu) { expect_unary("LeakyRelu", {{"alpha", 0.3F}}); }
TEST(Operators, LeakyReluWithItsDefaultSlope) { expect_unary("LeakyRelu"); }
TEST(Operators, Sigmoid) { expect_unary("Sigmoid"); }
TEST(Operators, Tanh) { expect_unary("Tanh"); }
TEST(Operators, Identity) { expect_unary("Identity"); }
TEST(Operators, DropoutInUse) { expect_unary("Dropout"); }

TEST(Operators, FlattenAtEveryAxis) {
  Random random(2);
  for (std::int64_t axis = -4; axis <= 4; ++axis) {
    SCOPED_TRACE(axis);
    expect_agreement(single({2, 3, 5, 7}, {node("Flatten", {"x"}, {{"axis", axis}})}), random);
  }
}

TEST(Operators, ClipWithEveryChoiceOfBounds) {
  Random random(3);
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

TEST(Operators, ArithmeticBroadcasts) {
  Random random(4);
  for (const std::string op : {"Add", "Sub", "Mul", "Div"}) {
    for (const Shape& b : {Shape{2, 3, 5}, {5}, {3, 1}, {}, {2, 1, 1}}) {
      for (const bool swapped : {false, true}) {
        SCOPED_TRACE(cat(op, " ", to_string(b), " swapped ", swapped));
        Graph graph = single({2, 3, 5}, {});
        // Away from 0, for Div.
        std::vector<float> values(static_cast<std::size_t>(element_count(b)));
        for (float& v : values) v = static_cast<float>(random.uniform(0.5, 2.0));
        graph.initializers.emplace("c", Tensor::floats(b, values));
        graph.initializers.emplace("three", Tensor::scalar(3.0F));
        using Names = std::vector<std::string>;
        graph.nodes = {node("Add", {"x", "three"}, {}, "h"),
                       node(op, swapped ? Names{"c", "h"} : Names{"h", "c"})};
        expect_agreement(graph, random);
      }
    }
  }
}

TEST(Operators, GemmInEveryForm) {
  Random random(5);
  for (int round = 0; round < 100; ++round) {
    const auto rows = static_cast<std::int64_t>(1 + random.below(5));
    const auto depth = static_cast<std::int64_t>(1 + random.below(40));
    const auto columns = static_cast<std::int64_t>(1 + random.below(9));
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
    Attributes attributes = {{"transA", ta}, {"transB", tb}};
    if (random.below(2) == 0) {
      attributes.emplace("alpha", static_cast<float>(random.uniform(-2, 2)));
      attributes.emplace("beta", random.below(3) == 0 ? 0.0F : 0.5F);
    }
    graph.nodes = {node("Gemm", inputs, attributes)};
    expect_agreement(graph, random);
  }
}

TEST(Operators, MatMulOfEveryRank) {
  Random random(6);
  for (const Shape& left : {Shape{3, 5}, {2, 3, 5}, {2, 1, 3, 5}}) {
    for (const Shape& right : {Shape{5}, {5, 7}, {1, 5, 7}}) {
      SCOPED_TRACE(to_string(left) + " " + to_string(right));
      Graph graph = single(left, {node("MatMul", {"x", "w"})});
      add_random(graph, "w", right, random);
      expect_agreement(graph, random);
    }
  }
}

TEST(Operators, SoftmaxAlongEveryAxis) {
  Random random(7);
  for (const std::string op : {"Softmax", "LogSoftmax"}) {
    for (std::int64_t axis = -3; axis < 3; ++axis) {
      Graph graph = single({3, 7, 5}, {});
      graph.initializers.emplace("wide", Tensor::scalar(30.0F));
      graph.nodes = {node("Mul", {"x", "wide"}, {}, "h"), node(op, {"h"}, {{"axis", axis}})};
      expect_agreement(graph, random);
    }
    expect_agreement(single({3, 7}, {node(op, {"x"})}), random);
  }
}

TEST(Operators, BatchNormalizationInUseOfEveryRank) {
  Random random(8);
  for (const Shape& shape : {Shape{3, 5}, {2, 5, 7}, {2, 5, 3, 4}}) {
    for (const Attributes& attributes : {Attributes{}, {{"epsilon", 1e-3F}}}) {
      Graph graph =
          single(shape, {node("BatchNormalization", {"x", "s", "b", "m", "v"}, attributes)});
      for (const char* name : {"s", "b", "m"}) add_random(graph, name, {5}, random);
      graph.initializers.emplace(
          "v", Tensor::floats({5}, std::vector<float>{0.25F, 0.5F, 1.0F, 2.0F, 100.0F}));
      expect_agreement(graph, random);
    }
  }
}

TEST(Operators, TransposeInEveryOrder) {
  Random random(9);
  std::vector<std::int64_t> order = {0, 1, 2, 3};
  do {
    expect_agreement(single({2, 3, 1, 5}, {node("Transpose", {"x"}, {{"perm", order}})}), random);
  } while (std::next_permutation(order.begin(), order.end()));
  expect_agreement(single({2, 3, 5}, {node("Transpose", {"x"})}), random);
}

TEST(Operators, ConcatAlongEveryAxis) {
  Random random(10);
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
  Random random(13);
  for (const bool inner : {false, true}) {
    const std::vector<Graph> graphs = reference::selections(inner, random);
    for (std::size_t i = 0; i < graphs.size(); ++i) {
      SCOPED_TRACE(i);
      expect_agreement(graphs[i], random);
    }
  }
}

TEST(Operators, ChangesOfShape) {
  Random random(11);
  Graph graph = single({2, 3, 4}, {});
  const auto ints = [&](const std::string& name, const std::vector<std::int64_t>& values) {
    graph.initializers.insert_or_assign(
        name, Tensor::int64s({static_cast<std::int64_t>(values.size())}, values));
  };
  ints("shape", {0, -1, 2});
  ints("axes", {1, -1});
  graph.nodes = {node("Reshape", {"x", "shape"}, {}, "a"),
                 node("Unsqueeze", {"a", "axes"}, {}, "b"),
                 node("Relu", {"b"}, {}, "c"),
                 node("Squeeze", {"c", "axes"})};
  expect_agreement(graph, random);
  graph.nodes.back() = node("Squeeze", {"c"});
  expect_agreement(graph, random);
}

TEST(Operators, AValueMayBeReadManyTimes) {
  Random random(12);
  Graph graph = single({2, 7}, {});
  add_random(graph, "w", {7, 7}, random);
  graph.nodes = {node("MatMul", {"x", "w"}, {}, "h"),
                 node("Mul", {"h", "h"}, {}, "q"),
                 node("Sub", {"h", "x"}, {}, "d"),
                 node("Add", {"q", "d"}, {}, "e"),
                 node("MatMul", {"e", "w"})};
  expect_agreement(graph, random);
}

// The message names all that training knows; it must be all that shapes are known for, but for
// Constant, which the reader turns into an initializer, and NonMaxSuppression, which comes behind
// what is trained.
TEST(Operators, AreAllThatTheGraphKnows) {
  const Graph graph = single({2, 3}, {node("Einsum", {"x"})});
  std::vector<std::string> known = known_operators();
  for (const std::string_view op : {"Constant", "NonMaxSuppression"}) {
    EXPECT_EQ(std::erase(known, op), 1U) << op;
  }
  EXPECT_EQ(message_of<InputError>([&] { Network(graph, {}); }),
            cat("[train] node 'Einsum y' (Einsum): operator is not supported in training, "
                "supported are: ",
                join(known)));
}

TEST(Operators, OfAForeignDomainAreNotSupported) {
  Graph graph = single({2, 3}, {node("Relu", {"x"})});
  graph.nodes[0].domain = "com.example";
  EXPECT_THAT(message_of<InputError>([&] { Network(graph, {}); }),
              testing::HasSubstr("is not supported in training"));
}

TEST(Operators, NameTheInputThatMustBeConstant) {
  const Graph graph = single({2, 3}, {node("Relu", {"x"}, {}, "h"), node("Reshape", {"x", "h"})});
  EXPECT_EQ(message_of<InputError>([&] { Network(graph, {}); }),
            "[train] node 'Reshape y' (Reshape): input 1 is not a constant");
}

}  // namespace
}  // namespace lastbit
