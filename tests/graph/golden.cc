#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/graph/onnx.h"
#include "tests/graph/models.h"

// The files were written by the first version of the format and stay for ever. What they decode to
// is written out here, so that reader, packing and decoding cannot change together unnoticed.

namespace lastbit {
namespace {

using ::testing::ElementsAre;

// Two matrices, of every radix's kind: [2, 3] ternary by channel and [3, 3] of seven levels.
Graph golden_graph() {
  Graph graph;
  graph.name = "golden";
  graph.inputs = {{"x", DType::kFloat, {{-1, "batch"}, {2}}}};
  graph.outputs = {{"y", DType::kFloat, {{-1, "batch"}, {3}}}};
  graph.metadata = {{"note", "version 1"}};
  graph.initializers.emplace("first",
                             LowBitTensor{.shape = {2, 3},
                                          .codebook = Codebook({-1, 0, 1}),
                                          .scale_shape = {1, 3},
                                          .scales = {0.5F, 0.1F, 2.0F},
                                          .packed = {200, 1},
                                          .set = "ternary/channel"});
  graph.initializers.emplace(
      "second",
      LowBitTensor{.shape = {3, 3},
                   .codebook = Codebook({-1, -0.5F, -0.25F, 0, 0.25F, 0.5F, 1}),
                   .scale_shape = {1},
                   .scales = {0.3F},
                   .packed = {0 + 7 * 6, 1 + 7 * 5, 2 + 7 * 4, 3 + 7 * 3, 6},
                   .set = "shift:2/tensor"});
  graph.nodes = {{"one", "MatMul", "", {"x", "first"}, {"h"}, {}},
                 {"two", "MatMul", "", {"h", "second"}, {"y"}, {}}};
  return graph;
}

std::string contents(const std::string& name) {
  std::ifstream file(std::filesystem::path(LASTBIT_GOLDEN) / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Golden : public ::testing::TestWithParam<const char*> {};

TEST_P(Golden, FileDecodesToTheseFloats) {
  const std::string bytes = contents(GetParam());
  const Graph graph = parse_onnx(std::as_bytes(std::span(bytes)));
  // Codes 2 0 1 1 2 1 of byte 200 and 1.
  EXPECT_THAT(decode(*graph.find_initializer("first")).as_floats(),
              ElementsAre(0.5F, -0.1F, 0.0F, 0.0F, 0.1F, 0.0F));
  EXPECT_THAT(decode(*graph.find_initializer("second")).as_floats(),
              ElementsAre(-0.3F, 0.3F, -0.15F, 0.15F, -0.075F, 0.075F, 0.0F, 0.0F, 0.3F));
  EXPECT_EQ(graph.initializers, golden_graph().initializers);
  EXPECT_EQ(graph.metadata, golden_graph().metadata);
}

INSTANTIATE_TEST_SUITE_P(Version1,
                         Golden,
                         ::testing::Values("v1-call.onnx", "v1-inline.onnx"),
                         [](const auto& file) {
                           return std::string(file.param).find("call") == 3 ? "Call" : "Inline";
                         });

// [3, 2] with channels last, in groups of 2 and 1 of each channel's three weights.
Graph golden_groups() {
  Graph graph;
  graph.name = "golden";
  graph.inputs = {{"x", DType::kFloat, {{-1, "batch"}, {3}}}};
  graph.outputs = {{"y", DType::kFloat, {{-1, "batch"}, {2}}}};
  graph.initializers.emplace("only",
                             LowBitTensor{.shape = {3, 2},
                                          .codebook = Codebook({-1, 0, 0.5F, 1}),
                                          .scale_shape = {2, 2, 1},
                                          .scales = {0.5F, 0.1F, 2.0F, 4.0F},
                                          .packed = {0 + 4 * 1 + 16 * 2 + 64 * 3, 3 + 4 * 2},
                                          .set = "levels:-1,0,0.5,1/group:2",
                                          .group = 2,
                                          .layout = {3, 2, 1}});
  graph.nodes = {{"one", "MatMul", "", {"x", "only"}, {"y"}, {}}};
  return graph;
}

class GoldenGroups : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenGroups, FileDecodesToTheseFloats) {
  const std::string bytes = contents(GetParam());
  const Graph graph = parse_onnx(std::as_bytes(std::span(bytes)));
  EXPECT_THAT(decode(*graph.find_initializer("only")).as_floats(),
              ElementsAre(-0.5F, 0.0F, 0.25F, 2.0F, 0.1F, 2.0F));
  EXPECT_EQ(graph.initializers, golden_groups().initializers);
}

INSTANTIATE_TEST_SUITE_P(Version1,
                         GoldenGroups,
                         ::testing::Values("v1-groups-call.onnx", "v1-groups-inline.onnx"),
                         [](const auto& file) {
                           return std::string(file.param).find("call") != std::string::npos
                                      ? "Call"
                                      : "Inline";
                         });

TEST(Golden, IsWhatTheWriterGivesToday) {
  EXPECT_TRUE(serialize_onnx(golden_groups()) == contents("v1-groups-call.onnx"));
  EXPECT_TRUE(serialize_onnx(golden_groups(), {.inline_decode = true}) ==
              contents("v1-groups-inline.onnx"));
  EXPECT_TRUE(serialize_onnx(golden_graph()) == contents("v1-call.onnx"));
  EXPECT_TRUE(serialize_onnx(golden_graph(), {.inline_decode = true}) ==
              contents("v1-inline.onnx"));
}

}  // namespace
}  // namespace lastbit
