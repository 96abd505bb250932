#include "lastbit/zoo/zoo.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lastbit/graph/onnx.h"
#include "tests/cli/program.h"

namespace lastbit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Zoo = CommandTest;

TEST_F(Zoo, ListsTheArchitectures) {
  const Finished run = succeed({"zoo"});
  for (const Architecture& row : architectures()) {
    EXPECT_THAT(run.out, HasSubstr(std::string(row.name) + " "));
    EXPECT_THAT(run.out, HasSubstr(std::string(row.summary)));
  }
}

TEST_F(Zoo, WritesDetectorsForImagesOfTheirSize) {
  EXPECT_THAT(succeed({"zoo", "ssd-small", "--out", "net.onnx"}).out, HasSubstr("parameters"));
  EXPECT_EQ(to_string(read_onnx(path("net.onnx")).inputs.at(0).dims), "[batch, 3, 160, 160]");
  succeed({"zoo", "ssd-small", "--input", "3,64,96", "--classes", "1", "--out", "net.onnx"});
  EXPECT_EQ(to_string(read_onnx(path("net.onnx")).inputs.at(0).dims), "[batch, 3, 64, 96]");
}

TEST_F(Zoo, WritesTheSameBytesForTheSameSeed) {
  for (const char* name : {"lenet300", "lenet5", "mlp"}) {
    succeed({"zoo", name, "--out", "a.onnx", "--seed", "5"});
    succeed({"zoo", name, "--out", "b.onnx", "--seed", "5"});
    EXPECT_EQ(read("a.onnx"), read("b.onnx"));
    succeed({"zoo", name, "--out", "c.onnx", "--seed", "6"});
    EXPECT_NE(read("a.onnx"), read("c.onnx"));
  }
  EXPECT_THAT(names(), ElementsAre("a.onnx", "b.onnx", "c.onnx"));
}

TEST_F(Zoo, SaysWhatItWrote) {
  const Finished run = succeed({"zoo", "lenet300", "--out", "deep/folder/net.onnx"});
  EXPECT_THAT(run.out, HasSubstr("wrote deep/folder/net.onnx"));
  EXPECT_THAT(run.out, HasSubstr("266610 parameters"));
  EXPECT_THAT(run.out, HasSubstr(std::to_string(read("deep/folder/net.onnx").size()) + " bytes"));
}

TEST_F(Zoo, WritesWhatInspectCounts) {
  succeed({"zoo", "resnet20", "--input", "3,32,32", "--codebook", "ternary", "--out", "net.onnx"});
  const char* counts = "272474 of the parameters are trained; 40813184 multiply-adds a sample";
  EXPECT_THAT(succeed({"inspect", "net.onnx"}).out, HasSubstr(counts));
  const auto json = nlohmann::json::parse(succeed({"inspect", "net.onnx", "--json"}).out);
  EXPECT_EQ(json["trained_parameters"], 272474);
  EXPECT_EQ(json["multiply_adds"], 40813184);
}

TEST_F(Zoo, IsInspectedEvenWhereNoShapeIsKnown) {
  Graph graph = make_network("lenet5", {});
  graph.inputs[0].dims[2] = {.size = -1, .symbol = "height"};
  write_onnx(path("net.onnx"), graph);
  EXPECT_THAT(succeed({"inspect", "net.onnx"}).out, HasSubstr("multiply-adds are not known"));
  const auto json = nlohmann::json::parse(succeed({"inspect", "net.onnx", "--json"}).out);
  EXPECT_TRUE(json["multiply_adds"].is_null());
}

TEST_F(Zoo, BuildsTheNetworkAskedFor) {
  succeed(
      {"zoo", "mlp", "--out", "m.onnx", "--hidden", "20,6", "--input", "3,8,8", "--classes", "4"});
  const Graph graph = read_onnx(path("m.onnx"));
  EXPECT_EQ(to_string(graph.inputs.at(0).dims), "[batch, 3, 8, 8]");
  EXPECT_EQ(to_string(graph.outputs.at(0).dims), "[batch, 4]");
  ASSERT_EQ(lowbit_candidates(graph).size(), 3U);
}

TEST_F(Zoo, ProjectsAndPacksTheLayersThatRulesName) {
  const Words rules = {"--codebook", "*.conv?=ternary/channel", "--codebook", "fc=binary"};
  Words words = {"zoo", "resnet20", "--input", "3,32,32", "--out", "m.onnx"};
  words.insert(words.end(), rules.begin(), rules.end());
  EXPECT_THAT(succeed(words).out, HasSubstr("272474 parameters"));
  const Graph graph = read_onnx(path("m.onnx"));
  const auto set = [&](const std::string& name) {
    const auto* packed = std::get_if<LowBitTensor>(graph.find_initializer(name + ".weight"));
    return packed == nullptr ? "float" : packed->set;
  };
  EXPECT_EQ(set("conv1"), "float");
  EXPECT_EQ(set("stage1.block1.conv1"), "ternary/channel");
  EXPECT_EQ(set("stage3.block1.conv2"), "ternary/channel");
  EXPECT_EQ(set("stage3.block1.shortcut"), "float");
  EXPECT_EQ(set("fc"), "binary/tensor");
}

TEST_F(Zoo, RefusesWhatItCannotBuild) {
  const auto refuse = [&](Words words, const Words& expected) {
    words.insert(words.begin(), "zoo");
    expect_refusal(lastbit(words), expected);
  };
  refuse({"lenet6", "--out", "m.onnx"}, {"'lenet6'", "lenet300", "lenet5", "mlp"});
  refuse({"lenet5"}, {"--out"});
  refuse({"--out", "m.onnx"}, {"[zoo]", "lenet300", "lenet5", "mlp"});
  refuse({"lenet5", "--out", "m.onnx", "--hidden", "3"}, {"hidden"});
  refuse({"mlp", "--out", "m.onnx", "--hidden", "0"}, {"fc1 has width 0"});
  refuse({"mlp", "--out", "m.onnx", "--hidden", "a"}, {"hidden"});
  refuse({"mlp", "--out", "m.onnx", "--activation", "gelu"}, {"gelu", "relu"});
  refuse({"mlp", "--out", "m.onnx", "--center", "middle"}, {"middle", "pixel"});
  refuse({"mlp", "--out", "m.onnx", "--classes", "0"}, {"classes"});
  refuse({"mlp", "--out", "m.onnx", "--input", "1,-28,28"}, {"-28"});
  refuse({"mlp", "--out", "m.onnx", "--hidden", "4000000000,4000000000"}, {"fc1", "4000000000"});
  refuse({"lenet5", "--out", "m.onnx", "--input", "1,4,4"}, {"4"});
  refuse({"mlp", "--out", "m.onnx", "--seed", "-1"}, {"--seed"});
  refuse({"lenet5", "--out", "m.onnx", "--codebook", "fc9=ternary"}, {"fc9=ternary", "conv1"});
  refuse({"lenet5", "--out", "m.onnx", "--codebook", "quaternary"}, {"quaternary", "ternary"});
  refuse({"vgg16", "--out", "m.onnx"}, {"[512, 1, 1]", "pool5"});
  EXPECT_THAT(names(), IsEmpty());
}

}  // namespace
}  // namespace lastbit
