#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/graph/onnx.h"
#include "tests/graph/written_models.h"

// What the reader takes from files of other programs, and what it refuses in them.

namespace lastbit {
namespace {

using ::testing::ElementsAre;

TEST(OnnxReader, TakesPackedAndSingleFloats) {
  const std::vector<float> values{1.5F, -2.0F};
  const Graph packed = parse(with_initializer(
      1, {2}, [&](pbf_writer& w) { w.add_packed_float(4, values.begin(), values.end()); }));
  EXPECT_THAT(initializer(packed).as_floats(), ElementsAre(1.5F, -2.0F));
  const Graph single = parse(with_initializer(1, {2}, [&](pbf_writer& w) {
    for (const float x : values) w.add_float(4, x);
  }));
  EXPECT_EQ(initializer(single), initializer(packed));
}

TEST(OnnxReader, TakesSmallIntegersFromInt32Data) {
  const std::vector<std::int32_t> values{-1, 2, 300};
  for (const int type : {2, 3, 4, 5, 6, 9, 10, 16}) {
    const Graph graph = parse(with_initializer(
        type, {3}, [&](pbf_writer& w) { w.add_packed_int32(5, values.begin(), values.end()); }));
    const auto bytes = initializer(graph).bytes();
    const std::size_t size = element_size(static_cast<DType>(type));
    ASSERT_EQ(bytes.size(), 3 * size);
    EXPECT_EQ(bytes[0], std::byte{0xFF});
    EXPECT_EQ(bytes[size], std::byte{2});
    EXPECT_EQ(bytes[2 * size], std::byte{300 % 256});
  }
}

TEST(OnnxReader, TakesWideTypesFromTheirFields) {
  const std::vector<std::int64_t> longs{-5, 1LL << 40};
  EXPECT_THAT(
      initializer(
          parse(with_initializer(
              7, {2}, [&](pbf_writer& w) { w.add_packed_int64(7, longs.begin(), longs.end()); })))
          .as_int64s(),
      ElementsAre(-5, 1LL << 40));
  const std::vector<double> doubles{0.25};
  EXPECT_EQ(initializer(parse(with_initializer(
                11,
                {1},
                [&](pbf_writer& w) { w.add_packed_double(10, doubles.begin(), doubles.end()); }))),
            Tensor(DType::kDouble, {1}, std::as_bytes(std::span(doubles))));
  const std::vector<std::uint32_t> words{4'000'000'000U};
  EXPECT_EQ(
      initializer(parse(with_initializer(
          12, {1}, [&](pbf_writer& w) { w.add_packed_uint64(11, words.begin(), words.end()); }))),
      Tensor(DType::kUint32, {1}, std::as_bytes(std::span(words))));
}

TEST(OnnxReader, RefusesTensorsWhoseDataDoNotFit) {
  const auto none = [](pbf_writer&) {};
  const auto raw = [](pbf_writer& w) { w.add_bytes(9, "12345678"); };
  expect_refusal(with_initializer(1, {3}, raw), "initializer 'w': shape [3] of float32 takes 12");
  expect_refusal(with_initializer(1, {2}, none), "takes 8 bytes, got 0");
  expect_refusal(with_initializer(1, {-2}, raw), "negative size");
  expect_refusal(with_initializer(1, {1LL << 62, 1LL << 62}, raw), "too many elements");
  expect_refusal(with_initializer(8, {1}, [](pbf_writer& w) { w.add_bytes(6, "text"); }),
                 "initializer 'w': elements of type string (8) are not supported");
  expect_refusal(with_initializer(1,
                                  {2},
                                  [&](pbf_writer& w) {
                                    raw(w);
                                    w.add_float(4, 1.0F);
                                  }),
                 "given more than once");
}

TEST(OnnxReader, TurnsConstantNodesIntoInitializers) {
  const auto constant = [](const Fill& attribute) {
    return model(relu_graph([&](pbf_writer& w) {
      w.add_message(1, node("c", "Constant", {}, {"w"}, [&](pbf_writer& n) {
                      n.add_message(5, message(attribute));
                    }));
    }));
  };
  const Graph ints = parse(constant([](pbf_writer& a) {
    a.add_string(1, "value_ints");
    a.add_int64(8, 4);
    a.add_int64(8, -1);
    a.add_int32(20, 7);
  }));
  EXPECT_THAT(initializer(ints).as_int64s(), ElementsAre(4, -1));
  EXPECT_EQ(ints.nodes.size(), 1U);
  const Graph scalar = parse(constant([](pbf_writer& a) {
    a.add_string(1, "value_float");
    a.add_float(2, 0.5F);
  }));
  EXPECT_EQ(initializer(scalar), Tensor::scalar(0.5F));
  expect_refusal(constant([](pbf_writer& a) {
                   a.add_string(1, "value_string");
                   a.add_string(4, "text");
                   a.add_int32(20, 3);
                 }),
                 "node 'c' (Constant): expected one attribute");
}

TEST(OnnxReader, LeavesInitializersOutOfTheInputs) {
  const Graph graph = parse(model(relu_graph([](pbf_writer& w) {
    w.add_message(11, value("w", {1}));
    w.add_message(5, tensor("w", 1, {1}, [](pbf_writer& t) { t.add_float(4, 1); }));
  })));
  ASSERT_EQ(graph.inputs.size(), 1U);
  EXPECT_EQ(graph.inputs[0].name, "x");
}

TEST(OnnxReader, SortsNodes) {
  const Graph graph = parse(model([](pbf_writer& w) {
    w.add_message(1, node("third", "Add", {"b", "a"}, {"y"}));
    w.add_message(1, node("second", "Relu", {"a"}, {"b"}));
    w.add_message(1, node("first", "Relu", {"x"}, {"a"}));
    w.add_message(11, value("x", {2}));
    w.add_message(12, value("y", {2}));
  }));
  EXPECT_EQ(graph.nodes[0].name, "first");
  EXPECT_EQ(graph.nodes[1].name, "second");
  EXPECT_EQ(graph.nodes[2].name, "third");
}

TEST(OnnxReader, RefusesCyclesUnknownAndDoubledNames) {
  const auto with = [](const std::string& bytes) {
    return model(relu_graph([&](pbf_writer& w) { w.add_message(1, bytes); }));
  };
  expect_refusal(with(node("loop", "Relu", {"a"}, {"a"})),
                 "node 'loop' (Relu): its inputs depend on its own result");
  expect_refusal(with(node("n", "Relu", {"ghost"}, {"a"})),
                 "node 'n' (Relu): input 'ghost' is no input");
  expect_refusal(with(node("n", "Relu", {"x"}, {"y"})), "the name 'y' is taken already");
  expect_refusal(with(node("n", "Relu", {"y"}, {"x"})), "the name 'x' is taken already");
  expect_refusal(model(relu_graph([](pbf_writer& w) { w.add_message(12, value("z", {1})); })),
                 "output 'z' of the graph is made by no node");
  expect_refusal(model(relu_graph([](pbf_writer& w) {
                   for (int i = 0; i < 2; ++i) {
                     w.add_message(5, tensor("w", 1, {0}, [](pbf_writer&) {}));
                   }
                 })),
                 "two initializers are called 'w'");
}

TEST(OnnxReader, RefusesSubgraphsSparseTensorsAndTraining) {
  expect_refusal(model(relu_graph([](pbf_writer& w) {
                   w.add_message(1, node("if", "If", {"x"}, {"z"}, [](pbf_writer& n) {
                                   n.add_message(5, message([](pbf_writer& a) {
                                                   a.add_string(1, "then_branch");
                                                   a.add_message(6, std::string());
                                                   a.add_int32(20, 5);
                                                 }));
                                 }));
                 })),
                 "node 'if' (If): attribute 'then_branch' is a subgraph, which is not supported");
  expect_refusal(model(relu_graph([](pbf_writer& w) { w.add_message(15, std::string()); })),
                 "sparse initializers, which are not supported");
  expect_refusal(model(relu_graph([](pbf_writer&) {}),
                       13,
                       [](pbf_writer& w) { w.add_message(20, std::string()); }),
                 "training information, which is not supported");
}

TEST(OnnxReader, RefusesInputsThatAreNoTensors) {
  expect_refusal(model(relu_graph([](pbf_writer& w) {
                   w.add_message(11, message([](pbf_writer& v) { v.add_string(1, "seq"); }));
                 })),
                 "input 'seq' has no tensor type");
  expect_refusal(model(relu_graph([](pbf_writer& w) { w.add_message(11, value("n", {-3})); })),
                 "value 'n': a size is -3");
}

TEST(OnnxReader, SkipsUnknownFields) {
  const Graph graph = parse(model(relu_graph([](pbf_writer& w) {
                                    w.add_string(999, "new");
                                    w.add_fixed64(998, 1);
                                  }),
                                  13,
                                  [](pbf_writer& w) { w.add_fixed32(500, 7); }));
  EXPECT_EQ(graph.nodes.size(), 1U);
}

TEST(OnnxReader, RaisesOldOpsetsWhereNothingChanged) {
  const Graph graph = parse(model(relu_graph([](pbf_writer&) {}), 9));
  EXPECT_EQ(graph.opset, 13);
  const auto with = [](const std::string& op) {
    return model(relu_graph([&](pbf_writer& w) { w.add_message(1, node("n", op, {"x"}, {"z"})); }),
                 9);
  };
  expect_refusal(with("Softmax"), "node 'n' (Softmax): at the model's opset 9 the operator means");
  expect_refusal(with("Erf"), "node 'n' (Erf): at the model's opset 9 (older than 13)");
}

TEST(OnnxReader, MakesAxesOfOldSqueezesAnInput) {
  const auto axes = [](pbf_writer& w) {
    w.add_message(5, message([](pbf_writer& a) {
                    a.add_string(1, "axes");
                    a.add_int64(8, 0);
                    a.add_int64(8, -1);
                    a.add_int32(20, 7);  // integers
                  }));
  };
  const Graph graph = parse(model(relu_graph([&](pbf_writer& w) {
                                    w.add_message(1, node("u", "Unsqueeze", {"y"}, {"u"}, axes));
                                    w.add_message(1, node("s", "Squeeze", {"u"}, {"s"}, axes));
                                  }),
                                  11));
  ASSERT_EQ(graph.nodes.size(), 3U);
  for (const std::size_t i : {1, 2}) {
    ASSERT_EQ(graph.nodes[i].inputs.size(), 2U);
    EXPECT_TRUE(graph.nodes[i].attributes.empty());
    const auto& added = std::get<Tensor>(*graph.find_initializer(graph.nodes[i].inputs[1]));
    EXPECT_EQ(added, Tensor::int64s({2}, std::vector<std::int64_t>{0, -1}));
  }
}

TEST(OnnxReader, RefusesOpsetsItDoesNotKnow) {
  const auto graph = relu_graph([](pbf_writer&) {});
  expect_refusal(model(graph, 6), "the model has opset 6, supported are 7 to ");
  expect_refusal(model(graph, kNewestOpset + 1), "supported are 7 to ");
  expect_refusal(message([&](pbf_writer& w) { w.add_message(7, message(graph)); }),
                 "does not say its opset");
  expect_refusal(message([](pbf_writer& w) { w.add_int64(1, 8); }), "there is no graph");
  expect_refusal("a text file, not a model\n", "not an ONNX model");
}

TEST(OnnxReader, TakesOnnxsOwnDomainByItsLongName) {
  const Graph graph = parse(model(relu_graph([](pbf_writer& w) {
    w.add_message(
        1, node("n", "Relu", {"x"}, {"z"}, [](pbf_writer& n) { n.add_string(7, "ai.onnx"); }));
  })));
  EXPECT_EQ(graph.nodes[1].domain, "");
}

}  // namespace
}  // namespace lastbit
