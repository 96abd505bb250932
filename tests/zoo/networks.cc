#include <cmath>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/graph/parameters.h"
#include "lastbit/graph/shapes.h"
#include "lastbit/zoo/zoo.h"

namespace lastbit {
namespace {

using testing::HasSubstr;

std::int64_t parameters(const Graph& graph) {
  std::int64_t count = 0;
  for (const Parameter& parameter : trainable_parameters(graph)) {
    count += element_count(parameter.shape);
  }
  return count;
}

std::int64_t weights(const Graph& graph) {
  std::int64_t count = 0;
  for (const WeightUse& use : lowbit_candidates(graph)) {
    count += element_count(shape_of(*graph.find_initializer(use.initializer)));
  }
  return count;
}

std::string refusal(std::string_view network, const ZooOptions& options) {
  try {
    make_network(network, options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Zoo, CountsTheParametersOfThePapers) {
  EXPECT_EQ(parameters(make_network("lenet300", {})), 266610);
  EXPECT_EQ(weights(make_network("lenet300", {})), 266200);
  EXPECT_EQ(parameters(make_network("lenet5", {})), 431080);
  EXPECT_EQ(weights(make_network("lenet5", {})), 430500);
  // 784*40 + 40 + 40*20 + 20 + 20*10 + 10
  EXPECT_EQ(parameters(make_network("mlp", {.hidden = {40, 20}})), 32430);
}

TEST(Zoo, NamesLayersAndParametersInTheirOrder) {
  const Graph graph = make_network("lenet5", {});
  std::vector<std::string> layers;
  std::vector<std::string> initializers;
  for (const WeightUse& use : lowbit_candidates(graph)) {
    layers.push_back(use.layer);
    initializers.push_back(use.initializer);
  }
  EXPECT_EQ(layers, (std::vector<std::string>{"conv1", "conv2", "fc1", "fc2"}));
  EXPECT_EQ(initializers,
            (std::vector<std::string>{"conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight"}));
  for (const std::string& layer : layers) {
    EXPECT_NE(graph.find_initializer(layer + ".bias"), nullptr) << layer;
  }
}

TEST(Zoo, GivesEveryNetworkTheSameEnds) {
  for (const Architecture& architecture : architectures()) {
    if (architecture.kind != NetworkKind::kClassifier) continue;
    SCOPED_TRACE(std::string(architecture.name));
    const bool large = architecture.name == "alexnet";
    const Shape input = large ? Shape{3, 63, 67} : Shape{3, 36, 40};
    const Graph graph = make_network(architecture.name, {.input = input, .classes = 7});
    ASSERT_EQ(graph.inputs.size(), 1U);
    EXPECT_EQ(graph.inputs[0].name, "input");
    EXPECT_EQ(to_string(graph.inputs[0].dims), large ? "[batch, 3, 63, 67]" : "[batch, 3, 36, 40]");
    ASSERT_EQ(graph.outputs.size(), 1U);
    EXPECT_EQ(graph.outputs[0].name, "logits");
    EXPECT_EQ(to_string(graph.outputs[0].dims), "[batch, 7]");
    EXPECT_EQ(infer_shapes(graph, 5).at("logits").shape, (Shape{5, 7}));
  }
}

TEST(Zoo, GivesNodesAndValuesUniqueNames) {
  for (const Architecture& architecture : architectures()) {
    if (architecture.kind == NetworkKind::kDetector) continue;  // the same test in detectors.cc
    const std::int64_t side = architecture.name == "alexnet" ? 63 : 32;
    ZooOptions options;
    if (architecture.kind == NetworkKind::kClassifier) options.input = {3, side, side};
    const Graph graph = make_network(architecture.name, options);
    std::set<std::string> names;
    for (const Node& node : graph.nodes) {
      EXPECT_TRUE(names.insert(node.name).second) << node.name;
      for (const std::string& output : node.outputs) {
        EXPECT_TRUE(output.empty() || names.insert(output).second) << output;
      }
    }
  }
}

TEST(Zoo, DrawsWeightsBetweenTheLimitsOfGlorotAndBengio) {
  const Graph graph = make_network("lenet5", {.seed = 3});
  // conv2: fan in 20*25, fan out 50*25.
  const double limit = std::sqrt(6.0 / (20 * 25 + 50 * 25));
  const Tensor weight = decode(*graph.find_initializer("conv2.weight"));
  double sum = 0.0;
  double squares = 0.0;
  float largest = 0.0F;
  for (const float w : weight.as_floats()) {
    sum += w;
    squares += static_cast<double>(w) * w;
    largest = std::max(largest, std::abs(w));
  }
  const auto count = static_cast<double>(weight.size());
  EXPECT_LE(largest, limit * (1 + 1e-7));
  EXPECT_GE(largest, 0.999 * limit);
  // A uniform law has variance limit^2 / 3. The mean of 25,000 draws deviates by limit / sqrt(3 *
  // count) and their mean square by limit^2 * sqrt(4 / 45 / count): five deviations are allowed.
  EXPECT_LE(std::abs(sum / count), 5 * limit / std::sqrt(3 * count));
  EXPECT_NEAR(squares / count, limit * limit / 3, 5 * limit * limit * std::sqrt(4.0 / 45 / count));
  const Tensor bias = decode(*graph.find_initializer("conv2.bias"));
  for (const float b : bias.as_floats()) EXPECT_EQ(b, 0.0F);
}

TEST(Zoo, RepeatsWeightsForASeedAndChangesThemWithIt) {
  const auto weight = [](std::uint64_t seed, std::string_view name) {
    return decode(
        *make_network("mlp", {.hidden = {784, 784}, .seed = seed}).find_initializer(name));
  };
  EXPECT_EQ(weight(1, "fc1.weight"), weight(1, "fc1.weight"));
  EXPECT_FALSE(weight(1, "fc1.weight") == weight(2, "fc1.weight"));
  // Equal shapes and limits: only the streams tell the layers apart.
  EXPECT_FALSE(weight(1, "fc1.weight") == weight(1, "fc2.weight"));
}

TEST(Zoo, SubtractsAMeanOfTheShapeThatIsAskedFor) {
  const auto mean_shape = [](const std::string& center) {
    const Graph graph = make_network("lenet5", {.input = {3, 16, 16}, .center = center});
    const Initializer* mean = graph.find_initializer("input.mean");
    return mean == nullptr ? Shape{} : shape_of(*mean);
  };
  EXPECT_EQ(mean_shape("channel"), (Shape{3, 1, 1}));
  EXPECT_EQ(mean_shape("pixel"), (Shape{3, 16, 16}));
  EXPECT_EQ(mean_shape("none"), Shape{});
  EXPECT_EQ(make_network("lenet5", {}).nodes.front().op, "Sub");
  EXPECT_EQ(make_network("lenet5", {.center = "none"}).nodes.front().op, "Conv");
}

TEST(Zoo, TakesTheActivationOfTheArchitectureUnlessToldOtherwise) {
  const auto activation = [](std::string_view network, const std::string& name) {
    for (const Node& node : make_network(network, {.activation = name}).nodes) {
      if (node.name == "act1") return node.op;
    }
    return std::string();
  };
  EXPECT_EQ(activation("lenet300", ""), "Tanh");
  EXPECT_EQ(activation("lenet300", "relu"), "Relu");
  EXPECT_EQ(activation("lenet5", ""), "Relu");
  EXPECT_EQ(activation("lenet5", "tanh"), "Tanh");
}

TEST(Zoo, MakesALinearClassifierOfAnMlpWithoutHiddenWidths) {
  const Graph graph = make_network("mlp", {.input = {6}, .classes = 3, .center = "none"});
  ASSERT_EQ(graph.nodes.size(), 1U);
  EXPECT_EQ(graph.nodes[0].op, "Gemm");
  EXPECT_EQ(shape_of(*graph.find_initializer("fc1.weight")), (Shape{3, 6}));
}

TEST(Zoo, ListsTheKnownNamesForAnUnknownOne) {
  EXPECT_EQ(
      refusal("lenet4", {}),
      "[zoo] there is no network 'lenet4', expected one of alexnet, char-lstm, googlenet, "
      "gru-lm, lenet300, lenet5, lstm-lm, mlp, mobilenetv2, resnet18, resnet20, resnet32, "
      "resnet34, resnet44, resnet50, resnet56, ssd-small, ssd300-darknet, ssd300-vgg16, vgg16");
}

TEST(Zoo, RefusesOptionsThatDoNotFit) {
  EXPECT_THAT(refusal("lenet5", {.hidden = {7}}), HasSubstr("hidden widths (7) do not fit"));
  EXPECT_THAT(refusal("lenet300", {.hidden = {7}}), HasSubstr("hidden widths (7) do not fit"));
  EXPECT_THAT(refusal("mlp", {.hidden = {7, 0}}), HasSubstr("fc2 has width 0"));
  EXPECT_THAT(refusal("mlp", {.hidden = {-7}}), HasSubstr("fc1 has width -7"));
  EXPECT_THAT(refusal("mlp", {.hidden = {std::int64_t{1} << 62}}), HasSubstr("expected at most"));
  EXPECT_THAT(refusal("mlp", {.classes = 1}), HasSubstr("number of classes is 1"));
  EXPECT_THAT(refusal("mlp", {.activation = "gelu"}), HasSubstr("activation is 'gelu'"));
  EXPECT_THAT(refusal("mlp", {.center = "row"}), HasSubstr("center is 'row'"));
  EXPECT_THAT(refusal("mlp", {.input = {}}), HasSubstr("input shape is empty"));
  EXPECT_THAT(refusal("mlp", {.input = {0}}), HasSubstr("input shape is [0]"));
  EXPECT_THAT(refusal("mlp", {.input = {1 << 20, 1 << 20}}), HasSubstr("expected positive sizes"));
}

TEST(Zoo, NeedsSixteenPixelsASideForLenet5) {
  EXPECT_EQ(infer_shapes(make_network("lenet5", {.input = {1, 16, 17}}), 1).at("logits").shape,
            (Shape{1, 10}));
  EXPECT_THAT(refusal("lenet5", {.input = {1, 15, 28}}),
              HasSubstr("too small, pool2 gets [50, 1, 8]"));
  EXPECT_THAT(refusal("lenet5", {.input = {1, 28, 4}}),
              HasSubstr("too small, conv1 gets [1, 28, 4] and needs at least 5 x 5"));
  EXPECT_THAT(refusal("lenet5", {.input = {784}}), HasSubstr("has 1 axes, expected 3"));
}

}  // namespace
}  // namespace lastbit
