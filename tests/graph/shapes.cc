#include "lastbit/graph/shapes.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/window.h"
#include "tests/graph/models.h"

namespace lastbit {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Attributes = std::map<std::string, Attribute, std::less<>>;

const std::map<std::string, Shape, std::less<>> no_shapes;
constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

// One node called "n" over inputs of these shapes; int64 lists are constants.
struct OneNode {
  std::string op;
  std::vector<Shape> shapes;
  Attributes attributes = {};
  std::vector<Ints> constants = {};
  DType type = DType::kFloat;

  Graph graph() const {
    Graph g;
    Node node{"n", op, "", {}, {"y"}, attributes};
    for (const Shape& shape : shapes) {
      const std::string name = cat("x", node.inputs.size());
      Value value{name, type, {}};
      for (const std::int64_t size : shape) value.dims.push_back({size, {}});
      g.inputs.push_back(std::move(value));
      node.inputs.push_back(name);
    }
    for (const Ints& values : constants) {
      const std::string name = cat("c", node.inputs.size());
      g.initializers.emplace(name,
                             Tensor::int64s({static_cast<std::int64_t>(values.size())}, values));
      node.inputs.push_back(name);
    }
    g.nodes.push_back(std::move(node));
    g.outputs = {{"y", type, {}}};
    return g;
  }
};

Shape result(const OneNode& node) { return infer_shapes(node.graph(), no_shapes).at("y").shape; }

void expect_error(const OneNode& node, const std::string& words) {
  EXPECT_THAT([&] { return result(node); },
              ThrowsMessage<InputError>(
                  AllOf(HasSubstr(cat("[shapes] node 'n' (", node.op, "): ")), HasSubstr(words))));
}

TEST(Shapes, OfElementwiseOperatorsAreTheInputs) {
  for (const char* op : {"Relu",
                         "LeakyRelu",
                         "Sigmoid",
                         "Tanh",
                         "Identity",
                         "Softmax",
                         "LogSoftmax",
                         "Clip",
                         "Dropout"}) {
    EXPECT_EQ(result({op, {{2, 3}}}), (Shape{2, 3})) << op;
  }
}

TEST(Shapes, BroadcastAsNumpyDoes) {
  for (const char* op : {"Add", "Sub", "Mul", "Div"}) {
    EXPECT_EQ(result({op, {{2, 3, 4}, {3, 1}}}), (Shape{2, 3, 4}));
    EXPECT_EQ(result({op, {{}, {5}}}), (Shape{5}));
    EXPECT_EQ(result({op, {{1}, {0, 4}}}), (Shape{0, 4}));
    EXPECT_EQ(result({op, {{4, 1}, {1, 7}}}), (Shape{4, 7}));
    expect_error({op, {{2, 3}, {2}}}, "shapes [2, 3] and [2] cannot be broadcast together");
  }
}

TEST(Shapes, OfConvolutions) {
  EXPECT_EQ(result({"Conv", {{7, 3, 28, 28}, {20, 3, 5, 5}, {20}}}), (Shape{7, 20, 24, 24}));
  EXPECT_EQ(result({"Conv", {{1, 4, 10}, {6, 4, 3}}, {{"pads", Ints{1, 1}}}}), (Shape{1, 6, 10}));
  EXPECT_EQ(result({"Conv",
                    {{1, 4, 9, 8}, {6, 2, 3, 2}},
                    {{"group", std::int64_t{2}},
                     {"strides", Ints{2, 3}},
                     {"dilations", Ints{2, 1}},
                     {"pads", Ints{0, 1, 1, 2}}}}),
            (Shape{1, 6, (9 + 1 - 5) / 2 + 1, (8 + 3 - 2) / 3 + 1}));
}

TEST(Shapes, OfConvolutionsWithAutomaticPadding) {
  const auto conv = [](std::string pad, std::int64_t size) {
    return OneNode{"Conv",
                   {{1, 1, size, size}, {1, 1, 3, 3}},
                   {{"auto_pad", std::move(pad)}, {"strides", Ints{2, 2}}}};
  };
  EXPECT_EQ(result(conv("SAME_UPPER", 7)), (Shape{1, 1, 4, 4}));
  EXPECT_EQ(result(conv("SAME_LOWER", 8)), (Shape{1, 1, 4, 4}));
  EXPECT_EQ(result(conv("VALID", 8)), (Shape{1, 1, 3, 3}));
  EXPECT_EQ(result(conv("NOTSET", 8)), (Shape{1, 1, 3, 3}));
  expect_error(conv("SAME", 8), "attribute 'auto_pad' is 'SAME'");
}

TEST(Window, SplitsOddPaddingAsAutoPadSays) {
  Node node{"n", "Conv", "", {}, {}, {{"auto_pad", std::string("SAME_UPPER")}}};
  EXPECT_EQ(window_of(node, Shape{1, 1, 5}, Ints{4}).pads_begin, Ints{1});
  EXPECT_EQ(window_of(node, Shape{1, 1, 5}, Ints{4}).pads_end, Ints{2});
  node.attributes["auto_pad"] = std::string("SAME_LOWER");
  EXPECT_EQ(window_of(node, Shape{1, 1, 5}, Ints{4}).pads_begin, Ints{2});
}

TEST(Shapes, RefuseConvolutionsThatDoNotFit) {
  expect_error({"Conv", {{1, 3, 8, 8}, {4, 2, 3, 3}}},
               "weights of shape [4, 2, 3, 3] in 1 groups do not fit data of shape [1, 3, 8, 8]");
  expect_error({"Conv", {{1, 3, 8, 8}, {4, 3, 3}}}, "weights of shape [4, 3, 3]");
  expect_error({"Conv", {{1, 3, 8, 8}, {4, 3, 3, 3}, {5}}},
               "bias 'x2' has shape [5], expected [4]");
  expect_error({"Conv", {{1, 3, 2, 2}, {4, 3, 3, 3}}}, "a window of 3 does not fit in size 2");
  expect_error({"Conv", {{1, 3}, {4, 3}}}, "expected rank 3 to 4");
  expect_error({"Conv", {{1, 4, 8, 8}, {5, 2, 3, 3}}, {{"group", std::int64_t{2}}}}, "in 2 groups");
  expect_error({"Conv", {{1, 1, 8}, {1, 1, 3}}, {{"kernel_shape", Ints{2}}}},
               "attribute 'kernel_shape' is [2], the weights' kernel is [3]");
  expect_error({"Conv", {{1, 1, 8}, {1, 1, 3}}, {{"strides", Ints{0}}}}, "attribute 'strides'");
  expect_error({"Conv", {{1, 1, 8}, {1, 1, 3}}, {{"pads", Ints{1}}}},
               "attribute 'pads' has 1 values, expected 2");
  expect_error({"Conv", {{1, 1, 8}, {1, 1, 3}}, {{"pads", Ints{kHuge, kHuge}}}}, "'pads'");
  expect_error({"Conv", {{1, 1, 8}, {1, 1, 3}}, {{"dilations", Ints{kHuge}}}}, "'dilations'");
  expect_error(
      {"Conv", {{1, 1, 8}, {1, 1, 3}}, {{"pads", Ints{1, 1}}, {"auto_pad", std::string("VALID")}}},
      "exclude each other");
}

TEST(Shapes, OfPools) {
  const Attributes two{{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}};
  Attributes up = two;
  up.emplace("ceil_mode", std::int64_t{1});
  for (const char* op : {"MaxPool", "AveragePool"}) {
    EXPECT_EQ(result({op, {{1, 3, 7, 8}}, two}), (Shape{1, 3, 3, 4}));
    EXPECT_EQ(result({op, {{1, 3, 7, 8}}, up}), (Shape{1, 3, 4, 4}));
    EXPECT_EQ(result({op, {{1, 3, 7}}, {{"kernel_shape", Ints{3}}}}), (Shape{1, 3, 5}));
    expect_error({op, {{1, 3, 7, 8}}}, "attribute 'kernel_shape' is [0, 0]");
  }
  EXPECT_EQ(result({"GlobalAveragePool", {{2, 3, 7, 8}}}), (Shape{2, 3, 1, 1}));
}

TEST(Shapes, OfPoolsLeaveOutWindowsThatBeginInThePadding) {
  // Size 4, padding 1 + 1, kernel 1, stride 5: rounding up gives windows at 0 and 5; 5 is padding.
  EXPECT_EQ(result({"MaxPool",
                    {{1, 1, 4}},
                    {{"kernel_shape", Ints{1}},
                     {"strides", Ints{5}},
                     {"pads", Ints{1, 1}},
                     {"ceil_mode", std::int64_t{1}}}}),
            (Shape{1, 1, 1}));
}

TEST(Shapes, OfMatrixProducts) {
  EXPECT_EQ(result({"Gemm", {{2, 3}, {3, 4}, {4}}}), (Shape{2, 4}));
  EXPECT_EQ(result({"Gemm", {{2, 3}, {4, 3}, {2, 1}}, {{"transB", std::int64_t{1}}}}),
            (Shape{2, 4}));
  EXPECT_EQ(result({"Gemm", {{3, 2}, {3, 4}}, {{"transA", std::int64_t{1}}}}), (Shape{2, 4}));
  expect_error({"Gemm", {{2, 3}, {4, 3}}}, "[2, 3] and [4, 3] (after transposition)");
  expect_error({"Gemm", {{2, 3}, {3, 4}, {3}}}, "bias 'x2' of shape [3]");
  expect_error({"Gemm", {{2, 3}, {3, 4}, {1, 2, 4}}}, "cannot be broadcast to [2, 4]");
  EXPECT_EQ(result({"MatMul", {{2, 3}, {3, 4}}}), (Shape{2, 4}));
  EXPECT_EQ(result({"MatMul", {{5, 1, 2, 3}, {7, 3, 4}}}), (Shape{5, 7, 2, 4}));
  EXPECT_EQ(result({"MatMul", {{3}, {3, 4}}}), (Shape{4}));
  EXPECT_EQ(result({"MatMul", {{5, 2, 3}, {3}}}), (Shape{5, 2}));
  EXPECT_EQ(result({"MatMul", {{3}, {3}}}), (Shape{}));
  expect_error({"MatMul", {{2, 3}, {2, 3}}}, "shapes [2, 3] and [2, 3] cannot be multiplied");
  expect_error({"MatMul", {{}, {2, 3}}}, "cannot be multiplied");
}

TEST(Shapes, OfBatchNormalization) {
  EXPECT_EQ(result({"BatchNormalization", {{2, 3, 4}, {3}, {3}, {3}, {3}}}), (Shape{2, 3, 4}));
  expect_error({"BatchNormalization", {{2, 3, 4}, {3}, {3}, {4}, {3}}},
               "input 4 ('x3') has shape [4], expected [3]");
  expect_error(
      {"BatchNormalization", {{2, 3, 4}, {3}, {3}, {3}, {3}}, {{"training_mode", std::int64_t{1}}}},
      "'training_mode' is not supported");
}

TEST(Shapes, OfFlatten) {
  const auto flatten = [](std::int64_t axis) {
    return OneNode{"Flatten", {{2, 3, 4}}, {{"axis", axis}}};
  };
  EXPECT_EQ(result({"Flatten", {{2, 3, 4}}}), (Shape{2, 12}));
  EXPECT_EQ(result(flatten(0)), (Shape{1, 24}));
  EXPECT_EQ(result(flatten(3)), (Shape{24, 1}));
  EXPECT_EQ(result(flatten(-1)), (Shape{6, 4}));
  expect_error(flatten(4), "axis 4 is not an axis of a tensor of rank 3");
}

TEST(Shapes, OfReshape) {
  const auto reshape = [](Shape from, Ints to, Attributes attributes = {}) {
    return OneNode{"Reshape", {std::move(from)}, std::move(attributes), {std::move(to)}};
  };
  EXPECT_EQ(result(reshape({2, 3, 4}, {4, -1})), (Shape{4, 6}));
  EXPECT_EQ(result(reshape({2, 3, 4}, {0, -1})), (Shape{2, 12}));
  EXPECT_EQ(result(reshape({2, 3}, {3, 2, 1})), (Shape{3, 2, 1}));
  EXPECT_EQ(result(reshape({1, 1}, {})), (Shape{}));
  EXPECT_EQ(result(reshape({0, 3}, {3, 0}, {{"allowzero", std::int64_t{1}}})), (Shape{3, 0}));
  expect_error(reshape({2, 3}, {4, -1}), "data of shape [2, 3] cannot take shape [4, -1]");
  expect_error(reshape({2, 3}, {-1, -1}), "cannot take shape [-1, -1]");
  expect_error(reshape({2, 3}, {2, 3, 0}), "cannot take shape [2, 3, 0]");
  expect_error(reshape({2, 3}, {-2, 3}), "cannot take shape");
  expect_error(reshape({2, 3}, {0, -1}, {{"allowzero", std::int64_t{1}}}), "cannot take shape");
  expect_error(reshape({2, 3}, {kHuge, kHuge}), "more elements than memory can hold");
  expect_error({"Reshape", {{2, 3}, {2}}}, "input 2 ('x1') must be constant");
}

TEST(Shapes, OfTranspose) {
  EXPECT_EQ(result({"Transpose", {{2, 3, 4}}}), (Shape{4, 3, 2}));
  EXPECT_EQ(result({"Transpose", {{2, 3, 4}}, {{"perm", Ints{1, 0, 2}}}}), (Shape{3, 2, 4}));
  for (const Ints& perm : {Ints{0, 1}, Ints{0, 0, 1}, Ints{0, 1, 2, 0}}) {
    expect_error({"Transpose", {{2, 3, 4}}, {{"perm", perm}}}, "attribute 'perm' is");
  }
}

TEST(Shapes, OfConcat) {
  const Attributes second{{"axis", std::int64_t{1}}};
  EXPECT_EQ(result({"Concat", {{2, 3}, {2, 4}, {2, 0}}, second}), (Shape{2, 7}));
  EXPECT_EQ(result({"Concat", {{2, 3}, {1, 3}}, {{"axis", std::int64_t{-2}}}}), (Shape{3, 3}));
  expect_error({"Concat", {{2, 3}, {3, 3}}, second}, "shapes [2, 3] and [3, 3] cannot be joined");
  expect_error({"Concat", {{2, 3}, {3}}, second}, "cannot be joined along axis 1");
  expect_error({"Concat", {{2, 3}}}, "expected an attribute 'axis'");
}

TEST(Shapes, OfSqueezeAndUnsqueeze) {
  EXPECT_EQ(result({"Squeeze", {{1, 2, 1}}}), (Shape{2}));
  EXPECT_EQ(result({"Squeeze", {{1, 2, 1}}, {}, {{-1}}}), (Shape{1, 2}));
  expect_error({"Squeeze", {{1, 2, 1}}, {}, {{1}}}, "axis 1 of [1, 2, 1] cannot be squeezed");
  EXPECT_EQ(result({"Unsqueeze", {{2, 3}}, {}, {{0, -1}}}), (Shape{1, 2, 3, 1}));
  expect_error({"Unsqueeze", {{2, 3}}, {}, {{0, 0}}}, "axis 0 is named twice");
  expect_error({"Unsqueeze", {{2, 3}}, {}, {{5}}}, "axis 5 is not an axis");
}

TEST(Shapes, OfConstantsAreKnownToReshape) {
  Graph graph = OneNode{"Reshape", {{2, 3}}}.graph();
  graph.nodes.front().inputs.emplace_back("to");
  graph.nodes.insert(graph.nodes.begin(),
                     Node{"c", "Constant", "", {}, {"to"}, {{"value_ints", Ints{3, 2}}}});
  EXPECT_EQ(infer_shapes(graph, no_shapes).at("y").shape, (Shape{3, 2}));
  EXPECT_EQ(infer_shapes(graph, no_shapes).at("to").type, DType::kInt64);
}

TEST(Shapes, KeepElementTypesApart) {
  Graph graph = OneNode{"Add", {{2}, {2}}}.graph();
  graph.inputs[1].type = DType::kInt64;
  EXPECT_THAT([&] { return infer_shapes(graph, no_shapes); },
              ThrowsMessage<InputError>(HasSubstr("inputs are float32 ('x0') and int64 ('x1')")));
}

TEST(Shapes, OfTheWholeGraphFollowFromTheBatch) {
  const TypeMap types = infer_shapes(small_graph(), 5);
  EXPECT_EQ(types.at("x").shape, (Shape{5, 1, 4, 4}));
  EXPECT_EQ(types.at("conv.weight"), (TensorType{DType::kFloat, {2, 1, 3, 3}}));
  EXPECT_EQ(types.at("y").shape, (Shape{5, 3}));
  EXPECT_EQ(infer_shapes(small_graph(), {{"x", {5, 1, 4, 4}}}), types);
}

TEST(Shapes, RefuseInputsThatDoNotFit) {
  const auto infer = [](const std::string& name, const Shape& shape) {
    return [=] { return infer_shapes(small_graph(), {{name, shape}}); };
  };
  EXPECT_THAT(infer("x", {1, 2, 4, 4}),
              ThrowsMessage<InputError>(
                  "[shapes] input 'x' is [batch, 1, 4, 4], shape [1, 2, 4, 4] does not fit it"));
  EXPECT_THAT(infer("x", {1, 1, 4}), ThrowsMessage<InputError>(HasSubstr("does not fit it")));
  EXPECT_THAT(infer("x", {-1, 1, 4, 4}), ThrowsMessage<InputError>(HasSubstr("does not fit it")));
  EXPECT_THAT(infer("z", {1}),
              ThrowsMessage<InputError>("[shapes] the graph has no input 'z', its inputs are: x"));
  EXPECT_THAT([] { return infer_shapes(small_graph(), no_shapes); },
              ThrowsMessage<InputError>(HasSubstr("its sizes are not all known")));
  Graph open = small_graph();
  open.inputs[0].dims[2] = {-1, "height"};
  EXPECT_THAT([&] { return infer_shapes(open, 1); },
              ThrowsMessage<InputError>(HasSubstr("[1, 1, height, 4]")));
}

TEST(Shapes, RefuseSizesThatOverflow) {
  Graph graph = OneNode{"Add", {{std::int64_t{1} << 40, 1}, {1, std::int64_t{1} << 40}}}.graph();
  EXPECT_THAT([&] { return infer_shapes(graph, no_shapes); },
              ThrowsMessage<InputError>(HasSubstr("which no memory can hold")));
  EXPECT_THROW(infer_shapes(small_graph(), kHuge), InputError);
}

TEST(Shapes, RefuseOperatorsThatAreNotSupported) {
  expect_error({"Erf", {{2}}}, "operator is not supported, supported are: Add, AveragePool, ");
  Graph graph = OneNode{"Relu", {{2}}}.graph();
  graph.nodes[0].domain = "com.example";
  EXPECT_THAT([&] { return infer_shapes(graph, no_shapes); },
              ThrowsMessage<InputError>(
                  HasSubstr("[shapes] node 'n' (com.example.Relu): operator is not supported")));
}

TEST(Shapes, RefuseNodesThatAreNotWired) {
  expect_error({"Add", {{2}}}, "expected 2 inputs, got 1");
  expect_error({"Relu", {{2}, {2}}}, "expected 1 inputs, got 2");
  Graph graph = OneNode{"Relu", {{2}}}.graph();
  graph.nodes[0].inputs = {"ghost"};
  EXPECT_THAT([&] { return infer_shapes(graph, no_shapes); },
              ThrowsMessage<InputError>(HasSubstr("input 'ghost' is no input")));
  graph = OneNode{"Conv", {{1, 1, 4}, {1, 1, 2}}}.graph();
  graph.nodes[0].inputs[0] = "";
  EXPECT_THAT([&] { return infer_shapes(graph, no_shapes); },
              ThrowsMessage<InputError>(HasSubstr("input 1 must not be omitted")));
  graph = OneNode{"Relu", {{2}}}.graph();
  graph.outputs[0].name = "z";
  EXPECT_THAT([&] { return infer_shapes(graph, no_shapes); },
              ThrowsMessage<InputError>(HasSubstr("output 'z' of the graph is made by no node")));
  for (const auto& outputs : {std::vector<std::string>(), std::vector<std::string>{"", "z"}}) {
    graph = OneNode{"Relu", {{2}}}.graph();
    graph.nodes[0].outputs = outputs;
    EXPECT_THAT([&] { return infer_shapes(graph, no_shapes); },
                ThrowsMessage<InputError>(HasSubstr("its first output has no name")));
  }
  graph = OneNode{"MaxPool", {{1, 1, 4}}, {{"kernel_shape", Ints{2}}}}.graph();
  graph.nodes[0].outputs.emplace_back("indices");
  EXPECT_THAT([&] { return infer_shapes(graph, no_shapes); },
              ThrowsMessage<InputError>(HasSubstr("output 2 ('indices') is not supported")));
}

// Those who read the value take the first attribute for it.
TEST(Shapes, RefuseConstantsOfSeveralValues) {
  expect_error({"Constant", {}, {{"extra", Ints{1}}, {"value_float", 1.0F}}},
               "has 2 attributes, expected one");
}

TEST(KnownOperators, AreSorted) {
  const std::vector<std::string> names = known_operators();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_THAT(names, ::testing::Contains("Conv"));
}

}  // namespace
}  // namespace lastbit
