#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/graph/shapes.h"
#include "tests/graph/models.h"

namespace lastbit {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Graph parse(const std::string& bytes) { return parse_onnx(std::as_bytes(std::span(bytes))); }

// LeNet5 of the papers: ten nodes, four weights.
Graph lenet5() {
  Graph graph;
  graph.inputs = {{"input", DType::kFloat, {{-1, "batch"}, {1}, {28}, {28}}}};
  graph.outputs = {{"output", DType::kFloat, {{-1, "batch"}, {10}}}};
  const auto add = [&](const std::string& layer, Shape shape) {
    graph.initializers.emplace(layer + ".bias", ramp({shape[0]}));
    graph.initializers.emplace(
        layer + ".weight",
        random_lowbit(std::move(shape), 0, {-1, 0, 1}, Granularity::kTensor, "ternary/tensor"));
  };
  add("conv1", {20, 1, 5, 5});
  add("conv2", {50, 20, 5, 5});
  add("fc1", {500, 800});
  add("fc2", {10, 500});
  const auto layer = [&](std::string name, std::string op, std::string in, std::string out) {
    std::vector<std::string> inputs{std::move(in)};
    if (op == "Conv" || op == "Gemm") {
      inputs.push_back(name + ".weight");
      inputs.push_back(name + ".bias");
    }
    Node node{std::move(name), std::move(op), "", std::move(inputs), {std::move(out)}, {}};
    if (node.op == "Gemm") node.attributes.emplace("transB", std::int64_t{1});
    if (node.op == "MaxPool") {
      node.attributes.emplace("kernel_shape", Ints{2, 2});
      node.attributes.emplace("strides", Ints{2, 2});
    }
    graph.nodes.push_back(std::move(node));
  };
  layer("conv1", "Conv", "input", "conv1.out");
  layer("pool1", "MaxPool", "conv1.out", "pool1.out");
  layer("conv2", "Conv", "pool1.out", "conv2.out");
  layer("pool2", "MaxPool", "conv2.out", "pool2.out");
  layer("flatten", "Flatten", "pool2.out", "flatten.out");
  layer("fc1", "Gemm", "flatten.out", "fc1.out");
  layer("relu", "Relu", "fc1.out", "relu.out");
  layer("dropout", "Identity", "relu.out", "dropout.out");
  layer("fc2", "Gemm", "dropout.out", "fc2.out");
  layer("softmax", "Softmax", "fc2.out", "output");
  return graph;
}

void expect_same(const Graph& a, const Graph& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.opset, b.opset);
  EXPECT_EQ(a.initializers, b.initializers);
  EXPECT_EQ(a.metadata, b.metadata);
  ASSERT_EQ(a.nodes.size(), b.nodes.size());
  for (std::size_t i = 0; i < a.nodes.size(); ++i) {
    EXPECT_EQ(a.nodes[i].name, b.nodes[i].name);
    EXPECT_EQ(a.nodes[i].op, b.nodes[i].op);
    EXPECT_EQ(a.nodes[i].inputs, b.nodes[i].inputs);
    EXPECT_EQ(a.nodes[i].outputs, b.nodes[i].outputs);
    EXPECT_EQ(a.nodes[i].attributes, b.nodes[i].attributes);
  }
  const auto expect_values = [](const std::vector<Value>& x, const std::vector<Value>& y) {
    ASSERT_EQ(x.size(), y.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_EQ(x[i].name, y[i].name);
      EXPECT_EQ(x[i].type, y[i].type);
      EXPECT_EQ(x[i].dims, y[i].dims);
    }
  };
  expect_values(a.inputs, b.inputs);
  expect_values(a.outputs, b.outputs);
}

TEST(OnnxRoundTrip, GivesTheSameGraphFromBothForms) {
  Graph graph = small_graph();
  graph.metadata = {{"author", "a test"}, {"epochs", "12"}};
  expect_same(parse(serialize_onnx(graph)), graph);
  expect_same(parse(serialize_onnx(graph, {.inline_decode = true})), graph);
}

TEST(OnnxRoundTrip, InlinedFilesHoldNoFunction) {
  const std::string call = serialize_onnx(small_graph());
  const std::string inlined = serialize_onnx(small_graph(), {.inline_decode = true});
  EXPECT_THAT(call, HasSubstr("lastbit.v1"));
  EXPECT_THAT(inlined, ::testing::Not(HasSubstr("lastbit.v1")));
}

TEST(OnnxRoundTrip, KeepsEveryKindOfAttribute) {
  Graph graph = small_graph();
  graph.nodes[1].attributes = {{"i", std::int64_t{-3}},
                               {"f", 0.1F},
                               {"s", std::string("a\0b", 3)},
                               {"is", Ints{1, -2, 1LL << 40}},
                               {"fs", std::vector<float>{0.5F, -1e30F}},
                               {"ss", std::vector<std::string>{"a", ""}},
                               {"t", ramp({2, 3})}};
  expect_same(parse(serialize_onnx(graph)), graph);
}

TEST(OnnxRoundTrip, KeepsTensorsOfEveryType) {
  Graph graph = small_graph();
  for (const DType type : {DType::kFloat,
                           DType::kUint8,
                           DType::kInt8,
                           DType::kUint16,
                           DType::kInt16,
                           DType::kInt32,
                           DType::kInt64,
                           DType::kBool,
                           DType::kFloat16,
                           DType::kDouble,
                           DType::kUint32,
                           DType::kUint64,
                           DType::kBfloat16}) {
    std::vector<std::byte> bytes(3 * element_size(type));
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i + 1);
    graph.initializers.emplace(std::string(to_string(type)), Tensor(type, {3}, bytes));
  }
  graph.initializers.emplace("scalar", Tensor::scalar(-0.0F));
  graph.initializers.emplace("empty", Tensor::floats({0, 4}, {}));
  expect_same(parse(serialize_onnx(graph)), graph);
}

TEST(OnnxRoundTrip, KeepsDimsOfEveryKind) {
  Graph graph = small_graph();
  graph.inputs.push_back({"second", DType::kInt64, {{0}, {-1, ""}, {-1, "n"}, {1LL << 40}}});
  graph.inputs.push_back({"scalar", DType::kDouble, {}});
  expect_same(parse(serialize_onnx(graph)), graph);
}

TEST(OnnxRoundTrip, KeepsOmittedInputsAndEmptyNames) {
  Graph graph = small_graph();
  graph.nodes[1] = {"", "Clip", "", {"a", "", "limit"}, {"b"}, {}};
  graph.initializers.emplace("limit", Tensor::scalar(6));
  expect_same(parse(serialize_onnx(graph)), graph);
}

TEST(OnnxRoundTrip, WorksForEveryRadix) {
  for (const int radix : {2, 3, 4, 6, 16, 17, 256}) {
    Graph graph = small_graph();
    std::vector<float> levels;
    levels.reserve(static_cast<std::size_t>(radix));
    for (int i = 0; i < radix; ++i) levels.push_back(static_cast<float>(i));
    graph.initializers.insert_or_assign(
        "fc.weight", random_lowbit({3, 8}, 1, levels, Granularity::kNone, "some/none"));
    expect_same(parse(serialize_onnx(graph)), graph);
    expect_same(parse(serialize_onnx(graph, {.inline_decode = true})), graph);
  }
}

TEST(OnnxRoundTrip, WorksForScalesByGroup) {
  for (std::int64_t opset = kOldestOpset; opset <= kNewestOpset; ++opset) {
    Graph graph = grouped_graph();
    graph.opset = opset;
    expect_same(parse(serialize_onnx(graph)), graph);
    expect_same(parse(serialize_onnx(graph, {.inline_decode = true})), graph);
    // Both functions in one file.
    graph.initializers.emplace(
        "other", random_lowbit({3, 8}, 1, {-1, 0, 1}, Granularity::kChannel, "ternary/channel"));
    expect_same(parse(serialize_onnx(graph)), graph);
    expect_same(parse(serialize_onnx(graph, {.inline_decode = true})), graph);
  }
}

TEST(OnnxRoundTrip, WorksForEveryOpset) {
  for (std::int64_t opset = kOldestOpset; opset <= kNewestOpset; ++opset) {
    Graph graph = small_graph();
    graph.opset = opset;
    expect_same(parse(serialize_onnx(graph)), graph);
  }
}

TEST(OnnxRoundTrip, FindsFreeNamesForTheParts) {
  Graph graph = small_graph();
  graph.initializers.emplace("codes0", ramp({1}));
  graph.initializers.emplace("codebook", ramp({2}));
  graph.initializers.emplace("conv.weight.a", ramp({3}));
  graph.initializers.emplace("decode.zero", ramp({4}));
  expect_same(parse(serialize_onnx(graph)), graph);
  expect_same(parse(serialize_onnx(graph, {.inline_decode = true})), graph);
}

TEST(OnnxRoundTrip, LeavesNodesThatOnlyResembleTheBody) {
  Graph graph = small_graph();
  graph.nodes.push_back({"", "Mul", "", {"y", "conv.bias"}, {"z"}, {}});
  expect_same(parse(serialize_onnx(graph)), graph);
}

TEST(OnnxRoundTrip, KeepsTheSetOfEachWeightWhereMostShareOne) {
  Graph graph = small_graph();
  const auto add = [&](const std::string& name, const std::string& set) {
    graph.initializers.insert_or_assign(
        name, random_lowbit({3, 8}, 1, {-1, 0, 1}, Granularity::kTensor, set));
  };
  add("w0", "ternary/tensor");
  add("w1", "ternary/tensor");
  add("w2", "levels/tensor");
  add("w3", "");
  const Graph back = parse(serialize_onnx(graph));
  expect_same(back, graph);
  EXPECT_FALSE(back.metadata.contains("lastbit.set"));
  expect_same(parse(serialize_onnx(graph, {.inline_decode = true})), graph);
}

TEST(OnnxWriter, GivesEqualBytesForEqualGraphs) {
  EXPECT_EQ(serialize_onnx(small_graph()), serialize_onnx(small_graph()));
}

TEST(OnnxWriter, AddsAtMost2KiBToTheParametersOfLeNet5) {
  const Graph graph = lenet5();
  infer_shapes(graph, 1);
  std::size_t needed = 0;
  for (const auto& [name, initializer] : graph.initializers) {
    const auto* low_bit = std::get_if<LowBitTensor>(&initializer);
    needed += low_bit != nullptr ? low_bit->packed.size() + 4 * low_bit->scales.size()
                                 : std::get<Tensor>(initializer).bytes().size();
  }
  const std::size_t size = serialize_onnx(graph).size();
  RecordProperty("overhead", static_cast<int>(size - needed));
  EXPECT_LE(size, needed + 2048);
  EXPECT_LE(size, 95'000U);
}

TEST(OnnxWriter, RefusesWhatAFileCannotHold) {
  Graph graph = small_graph();
  graph.opset = kNewestOpset + 1;
  EXPECT_THAT([&] { return serialize_onnx(graph); },
              ThrowsMessage<InputError>(HasSubstr("the graph has opset")));
  graph = small_graph();
  graph.nodes[1].domain = "com.example";
  EXPECT_THAT([&] { return serialize_onnx(graph); },
              ThrowsMessage<InputError>(HasSubstr("node 'relu' (com.example.Relu)")));
  graph = small_graph();
  std::get<LowBitTensor>(graph.initializers.at("fc.weight")).packed = {};
  EXPECT_THROW(serialize_onnx(graph), FormatError);
}

TEST(OnnxFiles, AreWrittenAndReadAndNamedInErrors) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / "lastbit_onnx_files";
  const std::filesystem::path path = folder / "deep" / "model.onnx";
  write_onnx(path, small_graph());
  expect_same(read_onnx(path), small_graph());
  EXPECT_THAT([&] { return read_onnx(folder / "none.onnx"); },
              ThrowsMessage<InputError>(HasSubstr("none.onnx")));
  EXPECT_THAT([&] { return read_onnx(folder); }, ThrowsMessage<InputError>(HasSubstr("directory")));
  std::filesystem::resize_file(path, 40);
  EXPECT_THAT([&] { return read_onnx(path); },
              ThrowsMessage<FormatError>(HasSubstr("model.onnx: ")));
  std::filesystem::resize_file(path, 0);
  EXPECT_THAT([&] { return read_onnx(path); },
              ThrowsMessage<FormatError>(HasSubstr("model.onnx: there are no bytes")));
  std::filesystem::remove_all(folder);
}

TEST(OnnxFiles, LendTheirCodesToGraphsThatKeepTheBytes) {
  const std::string file = serialize_onnx(small_graph());
  const std::span<const std::byte> bytes = std::as_bytes(std::span(file));
  const auto lies_in_file = [&](const Graph& graph) {
    const Bytes& codes = std::get<LowBitTensor>(graph.initializers.at("fc.weight")).packed;
    const auto* const begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
    return std::greater_equal<>()(codes.begin(), begin) &&
           std::less_equal<>()(codes.end(), begin + bytes.size());
  };
  const Graph kept = parse_onnx(bytes, {}, {.keep_bytes = true});
  expect_same(kept, small_graph());
  EXPECT_TRUE(lies_in_file(kept));
  EXPECT_FALSE(lies_in_file(parse_onnx(bytes)));

  const auto path = std::filesystem::path(::testing::TempDir()) / "lastbit_kept.onnx";
  write_onnx(path, small_graph());
  const Graph mapped = read_onnx(path, {.keep_bytes = true});
  std::filesystem::remove(path);
  expect_same(mapped, small_graph());
}

}  // namespace
}  // namespace lastbit
