#include "lastbit/state/state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/graph/onnx.h"
#include "lastbit/safetensors/safetensors.h"
#include "tests/state/pickles.h"

namespace lastbit {
namespace {

using pickles::ordered;
using pickles::storage;
using pickles::stored;
using pickles::tensor;
using pickles::zipped;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StateFile : public ::testing::Test {
 protected:
  // The names of a PyTorch file of two tensors.
  std::vector<std::string> names(const std::string& first, const std::string& second) const {
    const std::string one = tensor(storage("FloatStorage", "0", 1), {1}, {1});
    std::vector<std::string> result;
    const auto path =
        folder_.write("a.pt", zipped(ordered({{first, one}, {second, one}}), {stored("0", {1})}));
    for (const StateTensor& tensor : read_state(path)) result.push_back(tensor.name);
    return result;
  }

  TempFolder folder_;
};

TEST_F(StateFile, LeavesOutPrefixesOfWrappers) {
  EXPECT_THAT(names("module.b", "module.a"), ElementsAre("b", "a"));
  EXPECT_THAT(names("_orig_mod.b", "_orig_mod.a"), ElementsAre("b", "a"));
  EXPECT_THAT(names("_orig_mod.module.b", "_orig_mod.module.a"), ElementsAre("b", "a"));
  EXPECT_THAT(names("module._orig_mod.b", "module._orig_mod.a"), ElementsAre("b", "a"));
  EXPECT_THAT(names("module.b", "a"), ElementsAre("module.b", "a"));
}

// Written by Python 3.11's pickle, in PyTorch's layout, zip archives by its zipfile: checkpoints
// with numbers of numpy, an integer of 101 bits, a set and a torch.Size beside the state dict.
TEST_F(StateFile, ReadsWhatPythonWrites) {
  for (const char* const name : {"state-legacy-protocol2.pth", "state-zip-protocol4.pth"}) {
    const std::vector<StateTensor> state = read_state(std::filesystem::path(LASTBIT_GOLDEN) / name);
    ASSERT_EQ(state.size(), 2U);
    EXPECT_EQ(state[0].name, "fc1.weight");
    EXPECT_EQ(state[0].shape, (Shape{3, 2}));
    EXPECT_THAT(state[0].read(), ElementsAre(0, 1, 2, 3, 4, 5));
    EXPECT_EQ(state[1].name, "fc1.bias");
    EXPECT_THAT(state[1].read(), ElementsAre(7, 8, 9));
  }
}

TEST_F(StateFile, RefusesNamesThatNobodyGives) {
  const auto error = error_of([&] { names(std::string(1001, 'x'), "a"); });
  EXPECT_THAT(error, HasSubstr("a name of 1001 characters, expected at most 1000"));
}

TEST_F(StateFile, ReadsSafetensorsByName) {
  const std::vector<std::uint16_t> halves = {0x3c00, 0xc000};
  write_safetensors(
      folder_.path() / "a.safetensors",
      {.tensors = {{"b", Tensor(DType::kFloat16, {2, 1}, std::as_bytes(std::span(halves)))},
                   {"a", Tensor::scalar(3)}},
       .metadata = {}});
  const std::vector<StateTensor> state = read_state(folder_.path() / "a.safetensors");
  ASSERT_EQ(state.size(), 2U);
  EXPECT_EQ(state[0].name, "a");
  EXPECT_THAT(state[0].read(), ElementsAre(3));
  EXPECT_EQ(state[1].shape, (Shape{2, 1}));
  EXPECT_THAT(state[1].read(), ElementsAre(1, -2));
}

// A product of two inputs and three outputs, and what is added to it.
Graph product(const std::string& op) {
  Graph graph;
  graph.inputs = {{.name = "x", .type = DType::kFloat, .dims = {{.size = 1}, {.size = 2}}}};
  graph.outputs = {{.name = "y", .type = DType::kFloat, .dims = {{.size = 1}, {.size = 3}}}};
  const std::vector<float> weight = {1, 2, 3, 4, 5, 6};
  const std::vector<float> bias = {7, 8, 9};
  graph.initializers.emplace("w", Tensor::floats({2, 3}, weight));
  graph.initializers.emplace("b", Tensor::floats({3}, bias));
  Node node{.name = "fc",
            .op = op,
            .domain = {},
            .inputs = {"x", "w"},
            .outputs = {"y"},
            .attributes = {}};
  if (op == "Gemm") {
    node.inputs.push_back("b");
    graph.nodes = {node};
  } else {
    node.outputs = {"p"};
    graph.nodes = {node,
                   {.name = "add",
                    .op = "Add",
                    .domain = {},
                    .inputs = {"p", "b"},
                    .outputs = {"y"},
                    .attributes = {}}};
  }
  return graph;
}

TEST_F(StateFile, TurnsMatricesOfOnnxFiles) {
  for (const char* const op : {"Gemm", "MatMul"}) {
    write_onnx(folder_.path() / "a.onnx", product(op));
    const std::vector<StateTensor> state = read_state(folder_.path() / "a.onnx");
    ASSERT_EQ(state.size(), 2U) << op;
    EXPECT_EQ(state[0].name, "w");
    EXPECT_EQ(state[0].shape, (Shape{3, 2}));
    EXPECT_THAT(state[0].read(), ElementsAre(1, 4, 2, 5, 3, 6));
    EXPECT_EQ(state[1].name, "b");
    EXPECT_THAT(state[1].read(), ElementsAre(7, 8, 9));
  }
}

TEST_F(StateFile, RefusesOnnxFilesThatItCannotTake) {
  Graph graph = product("Gemm");
  graph.nodes[0].attributes.emplace("alpha", 2.0F);
  write_onnx(folder_.path() / "a.onnx", graph);
  EXPECT_THAT(error_of<InputError>([&] { read_state(folder_.path() / "a.onnx"); }),
              HasSubstr("node 'fc' (Gemm) has the factors 2 and 1, expected 1 and 1"));
}

}  // namespace
}  // namespace lastbit
