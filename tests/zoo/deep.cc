#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/graph/parameters.h"
#include "lastbit/graph/shapes.h"
#include "lastbit/runtime/session.h"
#include "lastbit/zoo/zoo.h"

// What the deep networks have in common; their sizes are in sizes.cc.

namespace lastbit {
namespace {

using testing::HasSubstr;

ZooOptions image_net() { return {.input = {3, 224, 224}, .classes = 1000, .center = "none"}; }
ZooOptions cifar() { return {.input = {3, 32, 32}, .center = "none"}; }

std::string refusal(std::string_view network, const ZooOptions& options) {
  try {
    make_network(network, options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(DeepZoo, KeepsTheDetailOfSmallImages) {
  const auto shape_before_pool = [](std::string_view name, const ZooOptions& options) {
    const Graph graph = make_network(name, options);
    for (const Node& node : graph.nodes) {
      if (node.op == "GlobalAveragePool") return infer_shapes(graph, 1).at(node.inputs[0]).shape;
    }
    return Shape{};
  };
  EXPECT_EQ(shape_before_pool("resnet18", image_net()), (Shape{1, 512, 7, 7}));
  EXPECT_EQ(shape_before_pool("resnet18", cifar()), (Shape{1, 512, 4, 4}));
  EXPECT_EQ(shape_before_pool("resnet50", image_net()), (Shape{1, 2048, 7, 7}));
  EXPECT_EQ(shape_before_pool("resnet50", cifar()), (Shape{1, 2048, 4, 4}));
  EXPECT_EQ(shape_before_pool("googlenet", image_net()), (Shape{1, 1024, 7, 7}));
  EXPECT_EQ(shape_before_pool("googlenet", cifar()), (Shape{1, 1024, 8, 8}));
  EXPECT_EQ(shape_before_pool("resnet20", cifar()), (Shape{1, 64, 8, 8}));
  EXPECT_EQ(shape_before_pool("mobilenetv2", image_net()), (Shape{1, 1280, 7, 7}));
  EXPECT_EQ(shape_before_pool("mobilenetv2", cifar()), (Shape{1, 1280, 4, 4}));
}

class EveryDeepNetwork : public testing::TestWithParam<const char*> {};

TEST_P(EveryDeepNetwork, NormalizesEveryConvolutionThatHasNoBias) {
  const Graph graph = make_network(GetParam(), cifar());
  int convolutions = 0;
  for (std::size_t i = 0; i + 1 < graph.nodes.size(); ++i) {
    if (graph.nodes[i].op != "Conv") continue;
    ++convolutions;
    EXPECT_EQ(graph.nodes[i].inputs.size(), 2U) << graph.nodes[i].name;
    EXPECT_EQ(graph.nodes[i + 1].op, "BatchNormalization") << graph.nodes[i].name;
    EXPECT_EQ(graph.nodes[i + 1].inputs[0], graph.nodes[i].outputs[0]);
  }
  EXPECT_GE(convolutions, 13);
}

TEST_P(EveryDeepNetwork, IsWrittenAndReadBack) {
  const Graph graph = make_network(GetParam(), cifar());
  const std::string file = serialize_onnx(graph);
  const Graph again = parse_onnx(std::as_bytes(std::span(file)));
  EXPECT_EQ(serialize_onnx(again), file);
  EXPECT_EQ(again.nodes.size(), graph.nodes.size());
  EXPECT_EQ(again.initializers, graph.initializers);
}

// Random weights must serve for timing: as in a trained network, values neither vanish nor explode.
TEST_P(EveryDeepNetwork, GivesOutputsOfUsefulSizeBeforeTraining) {
  for (const char* codebook : {"float", "ternary/channel", "binary/channel"}) {
    SCOPED_TRACE(codebook);
    Graph graph = make_network(GetParam(), cifar());
    if (codebook != std::string("float")) {
      const std::vector<std::string> rules = {codebook};
      graph = project_weights(graph, choose_codebooks(graph, rules));
    }
    Session session(graph);
    Random random(1);
    std::vector<float> input(std::size_t{3} * 32 * 32);
    for (float& x : input) x = static_cast<float>(random.normal());
    std::vector<float> output(10);
    const std::span<const float> in = input;
    const std::span<float> out = output;
    session.run({&in, 1}, {&out, 1});
    const auto [least, most] = std::minmax_element(output.begin(), output.end());
    EXPECT_TRUE(
        std::all_of(output.begin(), output.end(), [](float x) { return std::isfinite(x); }));
    EXPECT_GT(*most - *least, 0.01F);
    EXPECT_LT(*most - *least, 1000.0F);
  }
}

TEST_P(EveryDeepNetwork, RefusesChoicesThatItDoesNotHave) {
  ZooOptions options = cifar();
  options.hidden = {7};
  EXPECT_THAT(refusal(GetParam(), options), HasSubstr("hidden widths (7) do not fit"));
  options = cifar();
  options.activation = "tanh";
  EXPECT_THAT(refusal(GetParam(), options), HasSubstr("the activation 'tanh' does not fit"));
  options = cifar();
  options.input = {3072};
  EXPECT_THAT(refusal(GetParam(), options), HasSubstr("has 1 axes, expected 3"));
}

INSTANTIATE_TEST_SUITE_P(
    DeepZoo,
    EveryDeepNetwork,
    testing::Values(
        "googlenet", "mobilenetv2", "resnet18", "resnet20", "resnet50", "resnet56", "vgg16"));

// Its five pools and strides leave nothing of CIFAR's images.
TEST(DeepZoo, NeedsSixtyThreePixelsASideForAlexNet) {
  EXPECT_THAT(refusal("alexnet", cifar()), HasSubstr("too small, pool5 gets [256, 1, 1]"));
  EXPECT_THAT(refusal("alexnet", {.input = {3, 62, 63}}), HasSubstr("too small, pool5 gets"));
  EXPECT_EQ(refusal("alexnet", {.input = {3, 63, 63}}), "no error");
}

TEST(DeepZoo, NormalizesAllOfAlexNetButItsEnds) {
  const Graph graph = make_network("alexnet", {.input = {3, 63, 63}});
  int layers = 0;
  for (std::size_t i = 0; i + 1 < graph.nodes.size(); ++i) {
    if (graph.nodes[i].op != "Conv" && graph.nodes[i].op != "Gemm") continue;
    ++layers;
    EXPECT_EQ(graph.nodes[i].inputs.size(), 2U) << graph.nodes[i].name;
    EXPECT_EQ(graph.nodes[i + 1].op, "BatchNormalization") << graph.nodes[i].name;
  }
  EXPECT_EQ(layers, 7);
  EXPECT_EQ(graph.nodes.back().inputs.size(), 3U);
}

TEST(DeepZoo, DropsWhereThePapersDo) {
  const auto shares = [](std::string_view name, const ZooOptions& options) {
    std::vector<float> result;
    const Graph graph = make_network(name, options);
    for (const Node& node : graph.nodes) {
      if (node.op != "Dropout") continue;
      result.push_back(decode(*graph.find_initializer(node.inputs[1])).as_floats()[0]);
    }
    return result;
  };
  using Shares = std::vector<float>;
  const ZooOptions small{.input = {3, 64, 64}};
  EXPECT_EQ(shares("alexnet", small), (Shares{0.1F, 0.1F}));
  EXPECT_EQ(shares("vgg16", small), (Shares{0.5F, 0.5F}));
  EXPECT_EQ(shares("googlenet", small), (Shares{0.2F}));
  EXPECT_EQ(shares("vgg16", cifar()), Shares{});
  EXPECT_EQ(shares("googlenet", cifar()), Shares{});
  EXPECT_EQ(shares("resnet50", small), Shares{});
}

// An inception module's channels come in the order of its branches.
TEST(DeepZoo, JoinsTheBranchesOfGoogLeNet) {
  const Graph graph = make_network("googlenet", image_net());
  const TypeMap types = infer_shapes(graph, 1);
  std::vector<std::int64_t> channels;
  for (const Node& node : graph.nodes) {
    if (node.op != "Concat") continue;
    std::int64_t sum = 0;
    for (const std::string& input : node.inputs) sum += types.at(input).shape[1];
    EXPECT_EQ(types.at(node.outputs[0]).shape[1], sum) << node.name;
    EXPECT_EQ(node.inputs.size(), 4U) << node.name;
    channels.push_back(sum);
  }
  EXPECT_EQ(channels, (std::vector<std::int64_t>{256, 480, 512, 512, 512, 528, 832, 832, 1024}));
}

TEST(DeepZoo, NeedsThirtyTwoPixelsASideForVgg16) {
  EXPECT_THAT(refusal("vgg16", {.input = {3, 32, 31}}), HasSubstr("too small, pool5 gets"));
  EXPECT_EQ(refusal("vgg16", {.input = {3, 32, 33}}), "no error");
}

TEST(DeepZoo, DrawsWeightsAsHeEtAl) {
  const Graph graph = make_network("resnet18", cifar());
  const auto mean_square = [&](const std::string& name) {
    const Tensor weight = decode(*graph.find_initializer(name));
    double sum = 0.0;
    for (const float w : weight.as_floats()) sum += static_cast<double>(w) * w;
    return sum / static_cast<double>(weight.size());
  };
  // The mean square of n normal draws deviates by sqrt(2 / n) of itself: five deviations.
  const double fan_in = 128 * 9;
  const double tolerance = 5 * std::sqrt(2.0 / (128 * fan_in));
  EXPECT_NEAR(mean_square("stage2.block2.conv1.weight") * fan_in, 2.0, 2.0 * tolerance);
  EXPECT_NEAR(mean_square("stage2.block2.conv2.weight") * fan_in, 1.0, tolerance);
}

}  // namespace
}  // namespace lastbit
