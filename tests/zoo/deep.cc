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

// The deep networks, against the figures published for them.

namespace lastbit {
namespace {

using testing::HasSubstr;

ZooOptions image_net() { return {.input = {3, 224, 224}, .classes = 1000, .center = "none"}; }
ZooOptions cifar() { return {.input = {3, 32, 32}, .center = "none"}; }

struct Size {
  std::int64_t parameters = 0;
  std::int64_t products = 0;  // multiplications of convolutions and matrices, for one sample
};

Size size_of(const Graph& graph) {
  Size size;
  for (const Parameter& parameter : trainable_parameters(graph)) {
    size.parameters += element_count(parameter.shape);
  }
  const TypeMap types = infer_shapes(graph, 1);
  for (const Node& node : graph.nodes) {
    if (node.op != "Conv" && node.op != "Gemm") continue;
    const Shape& weight = types.at(node.inputs[1]).shape;
    const Shape& result = types.at(node.outputs[0]).shape;
    size.products += element_count(result) * element_count(weight) / weight.front();
  }
  return size;
}

std::string refusal(std::string_view network, const ZooOptions& options) {
  try {
    make_network(network, options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(DeepZoo, HasThePublishedSizesAtImageNet) {
  // torchvision's tables: parameters, and multiplications in G.
  const Size resnet18 = size_of(make_network("resnet18", image_net()));
  EXPECT_EQ(resnet18.parameters, 11689512);
  EXPECT_EQ(resnet18.products, 1814073344);
  const Size mobilenet = size_of(make_network("mobilenetv2", image_net()));
  EXPECT_EQ(mobilenet.parameters, 3504872);
  EXPECT_EQ(mobilenet.products, 300774272);
  // 138,365,992 with batch norm and the 4,224 biases that it makes superfluous.
  const Size vgg16 = size_of(make_network("vgg16", image_net()));
  EXPECT_EQ(vgg16.parameters, 138365992 - 4224);
  EXPECT_EQ(vgg16.products, 15470264320);
}

TEST(DeepZoo, HasThePublishedSizesAtCifar) {
  // Networks of 6 n + 2 layers: the paper's table 6 has 0.27, 0.46, 0.66 and 0.85 million
  // parameters with shortcuts without parameters; those of 1 x 1 convolutions with batch norm have
  // 16 * 32 + 64 + 32 * 64 + 128 = 2752 more.
  EXPECT_EQ(size_of(make_network("resnet20", cifar())).parameters, 269722 + 2752);
  EXPECT_EQ(size_of(make_network("resnet32", cifar())).parameters, 464154 + 2752);
  EXPECT_EQ(size_of(make_network("resnet44", cifar())).parameters, 658586 + 2752);
  EXPECT_EQ(size_of(make_network("resnet56", cifar())).parameters, 853018 + 2752);
  // 40.55 M multiplications, and those of the shortcuts: 512 * 16^2 + 2048 * 8^2.
  EXPECT_EQ(size_of(make_network("resnet20", cifar())).products, 40551040 + 262144);
  // 14,728,266 with the superfluous biases; 14,710,464 of them in convolutions.
  const Size vgg16 = size_of(make_network("vgg16", cifar()));
  EXPECT_EQ(vgg16.parameters, 14728266 - 4224);
  EXPECT_EQ(vgg16.products, 313201664);
  EXPECT_EQ(size_of(make_network("resnet18", cifar())).parameters, 11173962);
  EXPECT_EQ(size_of(make_network("mobilenetv2", cifar())).parameters, 2236682);
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
    testing::Values("mobilenetv2", "resnet18", "resnet20", "resnet56", "vgg16"));

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
