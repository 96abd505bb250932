#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/runtime/session.h"
#include "reference.h"

// Gather, and integers among floats.

namespace lastbit {
namespace {

using reference::node;
using testing::HasSubstr;
using Ints = std::vector<std::int64_t>;

// y = Gather(table, x) with int64 x of `indices`.
Graph embedding(const Shape& table, const Shape& indices, std::int64_t axis, Random& random) {
  Graph graph = reference::single(indices, {node("Gather", {"table", "x"}, {{"axis", axis}})});
  graph.inputs[0].type = DType::kInt64;
  reference::add_random(graph, "table", table, random);
  return graph;
}

std::string run_refusal(const Graph& graph, const std::vector<float>& x) {
  Session session(graph);
  try {
    reference::run(session, {x});
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Gather, TakesRowsOfEveryKindOfTableBitForBit) {
  Random random(1);
  // 13 values a row, so that rows begin within a byte of digits.
  const Graph graph = embedding({50, 13}, {2, 3}, 0, random);
  const std::vector<float> x{0, 49, 7, -1, -50, 7};
  for (const char* set : {"float",
                          "ternary/tensor",
                          "ternary/channel",
                          "binary/tensor",
                          "kmeans:5",
                          "uniform:2/channel",
                          "ternary/group:4"}) {
    const Graph packed = set == std::string("float") ? graph : reference::quantized(graph, set);
    const Tensor table = decode(*packed.find_initializer("table"));
    Session session(packed);
    ASSERT_EQ(session.inputs()[0].type, DType::kInt64);
    ASSERT_EQ(session.outputs()[0].shape, (Shape{2, 3, 13}));
    const std::vector<float> y = reference::run(session, {x})[0];
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto row = static_cast<std::size_t>(x[i] < 0 ? x[i] + 50 : x[i]);
      for (std::size_t k = 0; k < 13; ++k) {
        ASSERT_EQ(y[i * 13 + k], table.as_floats()[row * 13 + k]) << set << " " << i << " " << k;
      }
    }
  }
}

TEST(Gather, TakesEntriesOfAnyAxisOfAnyValue) {
  Random random(2);
  Graph graph =
      reference::single({2, 4, 3}, {node("Gather", {"x", "i"}, {{"axis", std::int64_t{-2}}})});
  graph.initializers.emplace("i", Tensor::int64s({}, Ints{-1}));
  Session session(graph);
  ASSERT_EQ(session.outputs()[0].shape, (Shape{2, 3}));
  const auto inputs = reference::random_inputs(session, random);
  const std::vector<float> y = reference::run(session, inputs)[0];
  for (std::size_t n = 0; n < 2; ++n) {
    for (std::size_t k = 0; k < 3; ++k) EXPECT_EQ(y[n * 3 + k], inputs[0][n * 12 + 9 + k]);
  }
}

TEST(Gather, KeepsALowBitTablePacked) {
  Random random(3);
  const Graph graph = reference::quantized(embedding({1000, 20}, {1}, 0, random), "ternary/tensor");
  EXPECT_LT(Session(graph).weight_bytes(), 20000 / 5 + 100);  // five digits a byte
}

TEST(Gather, OutlivesTheBytesOfItsFile) {
  Random random(4);
  const Graph graph = reference::quantized(embedding({30, 8}, {1}, 0, random), "ternary/tensor");
  std::string bytes = serialize_onnx(graph);
  Session session(parse_onnx(std::as_bytes(std::span(bytes)), {}, {.keep_bytes = true}));
  const auto before = reference::run(session, {{29}});
  bytes.assign(bytes.size(), '\xff');
  EXPECT_EQ(reference::run(session, {{29}}), before);
}

TEST(Gather, RefusesIndicesThatPickNothing) {
  Random random(5);
  const Graph graph = embedding({50, 4}, {3}, 0, random);
  EXPECT_THAT(run_refusal(graph, {1, 50, 2}),
              HasSubstr("'Gather y' (Gather): index 1 is 50, expected -50 to 49"));
  EXPECT_THAT(run_refusal(graph, {1, 2, -51}), HasSubstr("index 2 is -51"));
  EXPECT_THAT(run_refusal(graph, {1, 0.5F, 2}),
              HasSubstr("[runtime] input 'x' holds 0.5 at 1, expected integers of magnitude"));
  EXPECT_THAT(run_refusal(graph, {1, std::nanf(""), 2}), HasSubstr("holds nan at 1"));
  EXPECT_THAT(run_refusal(graph, {1, 2, 33554432.0F}), HasSubstr("expected integers"));
}

TEST(Session, TakesSizesOfDimensionsByTheirNames) {
  Random random(8);
  Graph graph = embedding({9, 2}, {1, 1}, 0, random);
  graph.inputs[0].dims = {{.symbol = "steps"}, {.symbol = "words"}};
  const Session session(graph, {.batch = 3, .sizes = {{"words", 4}}});
  EXPECT_EQ(session.inputs()[0].shape, (Shape{3, 4}));
  EXPECT_EQ(session.outputs()[0].shape, (Shape{3, 4, 2}));
}

TEST(Integers, AreMovedAndCastAsOthers) {
  // y = Cast(Concat(Unsqueeze(x), 7)) of an integer x, and back.
  Graph graph = reference::single({2}, {});
  graph.inputs[0].type = DType::kInt64;
  graph.initializers.emplace("seven", Tensor::int64s({1, 1}, Ints{7}));
  graph.initializers.emplace("axes", Tensor::int64s({1}, Ints{0}));
  graph.nodes = {node("Unsqueeze", {"x", "axes"}, {}, "row"),
                 node("Concat", {"row", "seven"}, {{"axis", std::int64_t{1}}}, "three"),
                 node("Cast", {"three"}, {{"to", std::int64_t{1}}})};
  Session session(graph);
  EXPECT_THAT(reference::run(session, {{-3, 5}})[0], testing::ElementsAre(-3, 5, 7));
}

TEST(Integers, OfACastAreWithoutWhatFollowsThePoint) {
  Random random(6);
  Graph graph = embedding({9, 2}, {4}, 0, random);
  graph.inputs[0].type = DType::kFloat;
  graph.nodes.insert(graph.nodes.begin(), node("Cast", {"x"}, {{"to", std::int64_t{7}}}, "i"));
  graph.nodes[1].inputs[1] = "i";
  Session session(graph);
  const auto got = reference::run(session, {{2.9F, -1.9F, -0.5F, 8}})[0];
  const Tensor table = decode(*graph.find_initializer("table"));
  const std::span<const float> t = table.as_floats();
  EXPECT_THAT(got, testing::ElementsAre(t[4], t[5], t[16], t[17], t[0], t[1], t[16], t[17]));
}

TEST(Integers, AreNoOperandsOfArithmetic) {
  Graph graph = reference::single(
      {2}, {node("Add", {"x", "x"}, {}, "z"), node("Cast", {"z"}, {{"to", std::int64_t{1}}})});
  graph.inputs[0].type = DType::kInt64;
  try {
    const Session session(graph);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("(Add): 'x' is int64, expected float32"));
  }
}

// Embedding and softmax share one matrix: Gemm with transB takes the rows that Gather does.
TEST(TiedWeights, AreOneMatrixForBothOperators) {
  Random random(7);
  Graph graph = embedding({40, 12}, {3}, 0, random);
  graph.nodes[0].outputs = {"e"};
  graph.nodes.push_back(node("Gemm", {"e", "table"}, {{"transB", std::int64_t{1}}}));
  const auto uses = lowbit_candidates(graph);
  ASSERT_EQ(uses.size(), 1U);
  EXPECT_EQ(uses[0].initializer, "table");
  EXPECT_EQ(uses[0].channel_axis, 0);
  for (const char* set : {"ternary/tensor", "ternary/channel", "float"}) {
    const Graph packed = set == std::string("float") ? graph : reference::quantized(graph, set);
    const Tensor table = decode(*packed.find_initializer("table"));
    const std::span<const float> t = table.as_floats();
    Session session(packed);
    const std::vector<float> x{4, 39, 0};
    const std::vector<float> y = reference::run(session, {x})[0];
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t j = 0; j < 40; ++j) {
        double sum = 0.0;
        for (std::size_t k = 0; k < 12; ++k) {
          sum += double{t[static_cast<std::size_t>(x[i]) * 12 + k]} * t[j * 12 + k];
        }
        ASSERT_NEAR(y[i * 40 + j], sum, 1e-5) << set;
      }
    }
  }
}

// The same with MatMul, which keeps the batch, and a Transpose that is done when the file is
// loaded.
TEST(TiedWeights, StayPackedWhereTheyAreTransposed) {
  Random random(9);
  Graph graph = embedding({40, 12}, {3, 2}, 0, random);
  graph.nodes[0].outputs = {"e"};
  graph.nodes.push_back(node("Transpose", {"table"}, {}, "turned"));
  graph.nodes.push_back(node("MatMul", {"e", "turned"}));
  std::size_t float_bytes = 0;
  for (const char* set : {"float", "ternary/tensor", "ternary/channel", "ternary/group:5"}) {
    SCOPED_TRACE(set);
    const Graph packed = set == std::string("float") ? graph : reference::quantized(graph, set);
    const Tensor table = decode(*packed.find_initializer("table"));
    const std::span<const float> t = table.as_floats();
    Session session(packed);
    const std::vector<float> x{4, 39, 0, 7, 7, 12};
    const std::vector<float> y = reference::run(session, {x})[0];
    for (std::size_t i = 0; i < x.size(); ++i) {
      for (std::size_t j = 0; j < 40; ++j) {
        double sum = 0.0;
        for (std::size_t k = 0; k < 12; ++k) {
          sum += double{t[static_cast<std::size_t>(x[i]) * 12 + k]} * t[j * 12 + k];
        }
        ASSERT_NEAR(y[i * 40 + j], sum, 1e-5);
      }
    }
    if (set == std::string("float")) {
      float_bytes = session.weight_bytes();
    } else if (std::string(set).find("group") == std::string::npos) {
      // 2 bits a weight for products, 1.6 for rows, and scales.
      EXPECT_LT(session.weight_bytes(), float_bytes / 4);
    }
  }
}

}  // namespace
}  // namespace lastbit
