#include "lastbit/train/network.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agreement.h"
#include "lastbit/base/error.h"
#include "lastbit/train/evaluate.h"

namespace lastbit {
namespace {

using reference::add_random;
using reference::node;
using reference::single;

std::vector<float> floats(const Graph& graph, const std::string& name) {
  const Tensor tensor = decode(*graph.find_initializer(name));
  return {tensor.as_floats().begin(), tensor.as_floats().end()};
}

// A convolution with a norm, then two matrices, all smooth.
Graph smooth_network(Random& random) {
  Graph graph = single({4, 2, 6, 6}, {});
  add_random(graph, "conv.weight", {3, 2, 3, 3}, random);
  add_random(graph, "conv.bias", {3}, random);
  add_random(graph, "fc.weight", {7, 27}, random);
  add_random(graph, "fc.bias", {7}, random);
  add_random(graph, "out.weight", {7, 5}, random);
  add_random(graph, "out.bias", {5}, random);
  const std::vector<std::int64_t> two = {2, 2};
  graph.nodes = {
      node("Conv", {"x", "conv.weight", "conv.bias"}, {{"pads", Shape{1, 1, 1, 1}}}, "a"),
      node("Tanh", {"a"}, {}, "b"),
      node("AveragePool", {"b"}, {{"kernel_shape", two}, {"strides", two}}, "c"),
      node("Flatten", {"c"}, {}, "d"),
      node("Gemm", {"d", "fc.weight", "fc.bias"}, {{"transB", std::int64_t{1}}}, "e"),
      node("Sigmoid", {"e"}, {}, "f"),
      node("MatMul", {"f", "out.weight"}, {}, "g"),
      node("Add", {"g", "out.bias"})};
  return graph;
}

// The mean cross-entropy of a graph's output in double precision.
double exact_loss(const Graph& graph, const std::vector<float>& x, const Shape& labels) {
  const auto batch = static_cast<std::int64_t>(labels.size());
  const reference::Array y = reference::evaluate(graph, batch, {x}).at("y");
  const std::size_t classes = y.data.size() / labels.size();
  double total = 0.0;
  for (std::size_t row = 0; row < labels.size(); ++row) {
    double sum = 0.0;
    for (std::size_t k = 0; k < classes; ++k) sum += std::exp(y.data[row * classes + k].value);
    total += std::log(sum) - y.data[row * classes + static_cast<std::size_t>(labels[row])].value;
  }
  return total / static_cast<double>(labels.size());
}

TEST(Network, GradientsAgreeWithCentralDifferencesInDouble) {
  Random random(1);
  const Graph graph = smooth_network(random);
  const std::vector<float> x = reference::random_floats(4 * 2 * 6 * 6, random);
  const Shape labels = {0, 3, 4, 1};
  Network network(graph, {});
  const torch::Tensor logits = network.forward(torch::tensor(x).view({4, 2, 6, 6}));
  const BatchLoss result = cross_entropy(logits, torch::tensor(labels));
  EXPECT_NEAR(result.loss.item<double>(), exact_loss(graph, x, labels), 1e-5);
  result.loss.backward();
  const std::vector<float> gradient = vector_of(network.gradients());

  std::size_t at = 0;
  for (const std::string name :
       {"conv.weight", "fc.weight", "out.weight", "conv.bias", "fc.bias", "out.bias"}) {
    const Shape shape = shape_of(*graph.find_initializer(name));
    const std::vector<float> values = floats(graph, name);
    for (std::size_t i = 0; i < values.size(); ++i, ++at) {
      const auto loss_at = [&](float value) {
        std::vector<float> moved = values;
        moved[i] = value;
        Graph other = graph;
        other.initializers.insert_or_assign(name, Tensor::floats(shape, moved));
        return exact_loss(other, x, labels);
      };
      const float high = values[i] + 0x1p-10F;
      const float low = values[i] - 0x1p-10F;
      const double slope =
          (loss_at(high) - loss_at(low)) / (static_cast<double>(high) - static_cast<double>(low));
      // Differences are off by h^2/6 times the third derivative (2^-20 / 6 * 10), gradients by the
      // rounding of sums of up to 144 terms below 1.
      ASSERT_NEAR(gradient[at], slope, 1.6e-6 + 144 * 0x1p-24) << name << " " << i;
    }
  }
  EXPECT_EQ(at, gradient.size());
}

TEST(Network, AddsToItsGradients) {
  Random random(2);
  Network network(smooth_network(random), {});
  const torch::Tensor x = torch::ones({4, 2, 6, 6});
  network.forward(x).sum().backward();
  const torch::Tensor once = network.gradients().clone();
  network.forward(x).sum().backward();
  EXPECT_EQ(vector_of(network.gradients()), vector_of(once + once));
}

TEST(Network, LaysParametersOutByTheirKind) {
  const Graph graph = make_network("lenet300", {.seed = 3});
  const std::vector<std::string> rules = {"fc3=binary", "fc2=ternary/channel"};
  const Network network(graph, choose_codebooks(graph, rules));
  std::vector<float> expected;
  for (const std::string name :
       {"fc2.weight", "fc3.weight", "fc1.weight", "fc1.bias", "fc2.bias", "fc3.bias"}) {
    const std::vector<float> part = floats(graph, name);
    expected.insert(expected.end(), part.begin(), part.end());
  }
  EXPECT_EQ(vector_of(network.parameters()), expected);
  EXPECT_EQ(network.matrix_size(), 300 * 784 + 100 * 300 + 10 * 100);
  EXPECT_EQ(network.parameters().numel(), network.matrix_size() + 300 + 100 + 10);

  const Weights weights = network.constrained();
  EXPECT_EQ(weights.size(), 100 * 300 + 10 * 100);
  EXPECT_EQ(weights.value.data_ptr<float>(), network.parameters().data_ptr<float>());
  ASSERT_EQ(weights.layers.size(), 2U);
  EXPECT_EQ(weights.layers[0].name, "fc2.weight");
  EXPECT_EQ(weights.layers[0].offset, 0);
  EXPECT_EQ(weights.layers[0].layout, (ChannelLayout{1, 100, 300}));
  EXPECT_EQ(weights.layers[0].set->name(), "ternary/channel");
  EXPECT_EQ(weights.layers[1].offset, 100 * 300);
}

TEST(Network, ReadsItsFlatParameters) {
  Random random(3);
  Network network(smooth_network(random), {});
  const torch::NoGradGuard no_gradient;
  network.parameters().zero_();
  EXPECT_EQ(vector_of(network.forward(torch::ones({4, 2, 6, 6}))), std::vector<float>(20, 0.0F));
}

TEST(Network, GivesBackTheGraphBitForBit) {
  for (const char* name : {"lenet300", "lenet5"}) {
    const Graph graph = make_network(name, {.seed = 5});
    const Network network(graph, constraints(graph, "ternary"));
    const Graph exported = network.exported();
    ASSERT_EQ(exported.initializers.size(), graph.initializers.size());
    for (const auto& [initializer, value] : graph.initializers) {
      EXPECT_EQ(decode(*exported.find_initializer(initializer)), decode(value)) << initializer;
    }
    EXPECT_EQ(exported.nodes.size(), graph.nodes.size());
    EXPECT_EQ(exported.opset, graph.opset);
  }
}

TEST(Network, ExportsLowBitWeightsThatDecodeToTheSameBits) {
  for (const std::string set : {"binary", "ternary/channel", "shift:2", "shift:1/none"}) {
    SCOPED_TRACE(set);
    const Graph graph = make_network("lenet5", {.seed = 6});
    const std::vector<std::string> rules = {set, "fc2=float"};
    const Network network(graph, choose_codebooks(graph, rules));
    const Weights weights = network.constrained();
    const std::vector<Quantized> low_bit = project(weights.layers, weights.value);
    const Graph exported = network.exported(low_bit);
    ASSERT_EQ(low_bit.size(), 3U);
    for (std::size_t i = 0; i < low_bit.size(); ++i) {
      const std::string& name = weights.layers[i].name;
      const auto* packed = std::get_if<LowBitTensor>(exported.find_initializer(name));
      ASSERT_NE(packed, nullptr) << name;
      EXPECT_EQ(floats(exported, name), decoded(low_bit[i]));
      EXPECT_EQ(packed->shape, shape_of(*graph.find_initializer(name)));
      EXPECT_EQ(packed->set, weights.layers[i].set->name());
    }
    EXPECT_TRUE(std::holds_alternative<Tensor>(*exported.find_initializer("fc2.weight")));
  }
}

TEST(Network, StartsFromWeightsThatAreLowBitAlready) {
  const Graph graph = make_network("lenet300", {.seed = 8});
  const Network network(graph, constraints(graph, "ternary"));
  const std::vector<Quantized> low_bit =
      project(network.constrained_layers(), network.constrained().value);
  const Graph packed = network.exported(low_bit);
  const Network again(packed, constraints(packed, "ternary"));
  EXPECT_EQ(vector_of(again.parameters().narrow(0, 0, 300 * 784)), decoded(low_bit[0]));
  // Without `low_bit` all weights come out as floats.
  EXPECT_TRUE(std::holds_alternative<Tensor>(*again.exported().find_initializer("fc1.weight")));
}

TEST(Network, TakesAMeanFromData) {
  const Graph graph = make_network("lenet300", {.center = "channel"});
  Network network(graph, {});
  const torch::Tensor mean = torch::full({1, 1, 1}, 0.25F);
  network.set_constant("input.mean", mean);
  EXPECT_EQ(floats(network.exported(), "input.mean"), std::vector<float>{0.25F});
  const torch::NoGradGuard no_gradient;
  EXPECT_EQ(vector_of(network.forward(torch::full({1, 1, 28, 28}, 0.25F))),
            std::vector<float>(10, 0.0F))
      << "an input equal to the mean, biases of 0";
}

TEST(Network, NamesTheConstantThatItDoesNotHave) {
  Network network(make_network("lenet300", {.center = "channel"}), {});
  EXPECT_EQ(message_of<InputError>([&] {
              network.set_constant("mean", torch::zeros({1, 1, 1}));
            }),
            "[network] no constant 'mean' of shape [1, 1, 1]");
  EXPECT_EQ(message_of<InputError>([&] { network.set_constant("input.mean", torch::zeros({2})); }),
            "[network] no constant 'input.mean' of shape [2]");
  EXPECT_EQ(message_of<InputError>([&] { network.set_constant("fc1.bias", torch::zeros({300})); }),
            "[network] no constant 'fc1.bias' of shape [300]");
}

// A norm after the input alone: scale 2, bias 1, statistics mean 0, variance 1.
Graph norm_network(const Shape& shape) {
  const std::int64_t channels = shape[1];
  Graph graph = single(shape,
                       {node("BatchNormalization",
                             {"x", "s", "b", "m", "v"},
                             {{"momentum", 0.75F}, {"epsilon", 1e-6F}})});
  const auto all = [&](float value) {
    return Tensor::floats({channels},
                          std::vector<float>(static_cast<std::size_t>(channels), value));
  };
  graph.initializers = {{"s", all(2.0F)}, {"b", all(1.0F)}, {"m", all(0.0F)}, {"v", all(1.0F)}};
  return graph;
}

TEST(BatchNorm, TakesTheBatchsStatisticsInTrainingAndKeepsThem) {
  Network network(norm_network({4, 1}), {});
  const torch::Tensor x = torch::tensor({1.0F, 3.0F, 1.0F, 3.0F}).view({4, 1});
  const torch::NoGradGuard no_gradient;
  // Mean 2, variance 1 of the batch, 4/3 as an estimate.
  const std::vector<float> y = vector_of(network.forward(x));
  EXPECT_NEAR(y[0], -1.0, 1e-5);
  EXPECT_NEAR(y[1], 3.0, 1e-5);
  const Graph exported = network.exported();
  EXPECT_NEAR(floats(exported, "m")[0], 0.25 * 2.0, 1e-6);
  EXPECT_NEAR(floats(exported, "v")[0], 0.75 + 0.25 * 4.0 / 3.0, 1e-6);
}

TEST(BatchNorm, TakesItsOwnStatisticsInUseAndLeavesThem) {
  const Graph graph = norm_network({4, 1});
  Network network(graph, {});
  network.set_training(false);
  const torch::NoGradGuard no_gradient;
  const std::vector<float> y = vector_of(network.forward(torch::tensor({1.0F, 3.0F}).view({2, 1})));
  EXPECT_NEAR(y[0], 3.0, 1e-5);
  EXPECT_NEAR(y[1], 7.0, 1e-5);
  EXPECT_EQ(floats(network.exported(), "m"), floats(graph, "m"));
  EXPECT_EQ(floats(network.exported(), "v"), floats(graph, "v"));
}

// One value has no variance: the last batch of an epoch may hold a single sample.
TEST(BatchNorm, OfASingleValueKeepsItsStatisticsFinite) {
  Network network(norm_network({1, 3}), {});
  const torch::NoGradGuard no_gradient;
  const torch::Tensor y = network.forward(torch::ones({1, 3}));
  EXPECT_TRUE(torch::isfinite(y).all().item<bool>());
  for (const char* name : {"m", "v"}) {
    for (const float value : floats(network.exported(), name)) EXPECT_TRUE(std::isfinite(value));
  }
}

TEST(Dropout, DropsItsShareInTrainingAlone) {
  Graph graph = single({1, 10000}, {node("Dropout", {"x", "ratio"})});
  graph.initializers.emplace("ratio", Tensor::scalar(0.25F));
  Network network(graph, {});
  torch::manual_seed(1);
  const torch::NoGradGuard no_gradient;
  const torch::Tensor x = torch::ones({1, 10000});
  const torch::Tensor y = network.forward(x);
  const torch::Tensor dropped = y.eq(0.0);
  const torch::Tensor kept = (y - 1.0 / 0.75).abs().le(1e-6);
  EXPECT_TRUE(torch::logical_or(dropped, kept).all().item<bool>());
  // Five deviations of a binomial share of 10000 draws.
  EXPECT_NEAR(dropped.to(torch::kFloat64).mean().item<double>(),
              0.25,
              5.0 * std::sqrt(0.25 * 0.75 / 10000.0));
  network.set_training(false);
  EXPECT_EQ(vector_of(network.forward(x)), std::vector<float>(10000, 1.0F));
}

// Two inputs and three results, one of which nothing but the file needs.
Graph branching_network(Random& random) {
  Graph graph =
      single({2, 3},
             {node("MatMul", {"x", "first.weight"}, {}, "a"),
              node("Add", {"a", "z"}, {}, "b"),
              node("Relu", {"b"}, {}, "c"),
              node("MatMul", {"c", "second.weight"}, {}, "y"),
              node("SoftmaxCrossEntropyLoss", {"y", "labels", "loss.weight"}, {}, "loss")});
  graph.inputs.push_back({.name = "z", .type = DType::kFloat, .dims = {{-1, "rows"}, {4, ""}}});
  graph.inputs.push_back({.name = "labels", .type = DType::kInt64, .dims = {{-1, "rows"}}});
  graph.outputs.insert(graph.outputs.begin(), reference::value("loss", {}));
  add_random(graph, "first.weight", {3, 4}, random);
  add_random(graph, "second.weight", {4, 5}, random);
  add_random(graph, "loss.weight", {5}, random);
  return graph;
}

TEST(Network, ComputesTheValuesItIsAskedForAndTrainsWhatTheyNeed) {
  Random random(4);
  const Graph graph = branching_network(random);
  const std::vector<torch::Tensor> inputs = {torch::randn({2, 3}), torch::randn({2, 4})};
  Network both(graph, {}, torch::kCPU, {"y", "b"});
  ASSERT_EQ(both.inputs().size(), 2U);
  EXPECT_EQ(both.inputs()[1].name, "z");
  EXPECT_EQ(both.parameters().numel(), 3 * 4 + 4 * 5);
  EXPECT_TRUE(both.sample_shape().empty());
  const auto values = both.compute(inputs);
  ASSERT_EQ(values.size(), 2U);
  const auto leaves = both.leaves();
  const torch::Tensor b = inputs[0].matmul(leaves[0].value) + inputs[1];
  EXPECT_EQ(vector_of(values[1]), vector_of(b));
  EXPECT_EQ(vector_of(values[0]), vector_of(b.relu().matmul(leaves[1].value)));
  EXPECT_EQ(both.exported().nodes.size(), graph.nodes.size());
  EXPECT_EQ(floats(both.exported(), "loss.weight"), floats(graph, "loss.weight"));

  Network less(graph, {}, torch::kCPU, {"a"});
  EXPECT_EQ(less.parameters().numel(), 3 * 4);
  EXPECT_EQ(less.sample_shape(), (Shape{3}));
  EXPECT_EQ(vector_of(less.forward(inputs[0])), vector_of(inputs[0].matmul(leaves[0].value)));
  EXPECT_EQ(floats(less.exported(), "second.weight"), floats(graph, "second.weight"));
}

TEST(Network, NamesValuesAndInputsThatDoNotFit) {
  Random random(4);
  const Graph graph = branching_network(random);
  const auto with = [&](std::vector<std::string> values) {
    return message_of<InputError>([&] { Network(graph, {}, torch::kCPU, std::move(values)); });
  };
  EXPECT_EQ(with({"y", "boxes"}),
            "[graph] there is no value 'boxes', expected an input or what one of the nodes makes");
  EXPECT_THAT(with({"loss"}), testing::HasSubstr("(SoftmaxCrossEntropyLoss): operator is not"));
  const std::vector<std::string> rules = {"second.weight=ternary"};
  EXPECT_EQ(message_of<InputError>(
                [&] { Network(graph, choose_codebooks(graph, rules), torch::kCPU, {"a"}); }),
            "[network] 'second.weight' has codebook ternary/tensor, but nothing that is trained "
            "reads it");
  Network network(graph, {}, torch::kCPU, {"y"});
  EXPECT_EQ(message_of<InputError>([&] {
              network.forward(torch::zeros({2, 3}));
            }),
            "[network] got 1 inputs, expected 2: x, z");
  const std::vector<torch::Tensor> integers = {torch::zeros({2, 3}),
                                               torch::zeros({2, 4}, torch::kInt64)};
  EXPECT_EQ(message_of<InputError>([&] { network.compute(integers); }),
            "[network] input 'z' is no tensor of float");
}

TEST(Network, SaysWhichInputsItExpects) {
  Graph graph = single({2, 3}, {node("Relu", {"x"})});
  graph.inputs = {{.name = "x", .type = DType::kFloat, .dims = {{-1, "batch"}, {-1, "width"}}}};
  EXPECT_EQ(message_of<InputError>([&] { Network(graph, {}); }),
            "[network] input 'x' is [batch, width], expected all sizes but the batch to be known");
  graph.outputs.clear();
  EXPECT_EQ(message_of<InputError>([&] { Network(graph, {}); }),
            "[network] the graph has no output, training expects one");
}

}  // namespace
}  // namespace lastbit
