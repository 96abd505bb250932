#include "lastbit/graph/parameters.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/zoo/zoo.h"
#include "tests/runtime/reference.h"

namespace lastbit {
namespace {

using testing::ElementsAre;

// "conv1: ternary/tensor", "fc1: float"
std::vector<std::string> chosen(const Graph& graph, const std::vector<std::string>& rules) {
  std::vector<std::string> result;
  for (const Constraint& constraint : choose_codebooks(graph, rules)) {
    result.push_back(constraint.use.layer + ": " +
                     (constraint.set == nullptr ? "float" : constraint.set->name()));
  }
  return result;
}

std::string refusal(const Graph& graph, const std::vector<std::string>& rules) {
  try {
    choose_codebooks(graph, rules);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ChooseCodebooks, TakesOneSetForAll) {
  EXPECT_THAT(chosen(make_network("lenet5", {}), {"ternary"}),
              ElementsAre("conv1: ternary/tensor",
                          "conv2: ternary/tensor",
                          "fc1: ternary/tensor",
                          "fc2: ternary/tensor"));
}

TEST(ChooseCodebooks, LetsTheLastRuleThatMatchesDecide) {
  EXPECT_THAT(
      chosen(make_network("lenet5", {}),
             {"binary/channel", "fc*=ternary", "conv1=shift:2/none", "fc2=float"}),
      ElementsAre(
          "conv1: shift:2/none", "conv2: binary/channel", "fc1: ternary/tensor", "fc2: float"));
  EXPECT_THAT(chosen(make_network("lenet5", {}), {"fc2=float", "binary"}).back(),
              "fc2: binary/tensor");
}

TEST(ChooseCodebooks, LeavesWhatHasNoRuleFloat) {
  EXPECT_THAT(chosen(make_network("lenet300", {}), {"fc?=binary", "fc1=float"}),
              ElementsAre("fc1: float", "fc2: binary/tensor", "fc3: binary/tensor"));
  EXPECT_THAT(chosen(make_network("lenet300", {}), {"fc2=shift:1"}),
              ElementsAre("fc1: float", "fc2: shift:1/tensor", "fc3: float"));
}

TEST(ChooseCodebooks, MatchesNamesOfInitializersToo) {
  EXPECT_THAT(chosen(make_network("lenet300", {}), {"fc3.weight=binary"}).back(),
              "fc3: binary/tensor");
  EXPECT_THAT(chosen(make_network("lenet300", {}), {"*.weight=ternary"}).front(),
              "fc1: ternary/tensor");
}

TEST(ChooseCodebooks, MatchesTheSidesOfKernels) {
  const Graph graph = make_network("resnet50", {.input = {3, 16, 16}});
  const std::vector<std::string> rules = {"ternary", "kernel:1x1=float", "kernel:7x?=binary"};
  EXPECT_THAT(refusal(graph, rules), testing::HasSubstr("'kernel:7x?=binary' matches no layer"));
  for (const Constraint& constraint : choose_codebooks(graph, std::span(rules).subspan(0, 2))) {
    const Shape& shape = shape_of(*graph.find_initializer(constraint.use.initializer));
    const bool narrow = shape.size() == 4 && shape[2] == 1;
    EXPECT_EQ(constraint.set == nullptr, narrow) << constraint.use.layer;
  }
}

TEST(ShareCodebooks, MatchesTheSidesOfKernels) {
  const Graph graph = make_network("resnet50", {.input = {3, 16, 16}});
  std::vector<Constraint> constraints =
      choose_codebooks(graph, std::vector<std::string>{"ternary"});
  share_codebooks(graph, constraints, std::vector<std::string>{"kernel:1x1", "kernel:3x3"});
  for (const Constraint& constraint : constraints) {
    const Shape& shape = shape_of(*graph.find_initializer(constraint.use.initializer));
    const std::int64_t side = shape.size() == 4 ? shape[2] : 0;
    EXPECT_EQ(constraint.shared, side == 1 ? 0 : side == 3 ? 1 : -1) << constraint.use.layer;
  }
}

TEST(ChooseCodebooks, ListsTheLayersWhereARuleMatchesNone) {
  EXPECT_EQ(refusal(make_network("lenet300", {}), {"ternary", "conv*=binary"}),
            "[codebook] 'conv*=binary' matches no layer, the layers are: fc1, fc2, fc3");
  const Graph none = reference::single({1, 3}, {reference::node("Relu", {"x"})});
  EXPECT_EQ(refusal(none, {"ternary"}),
            "[codebook] 'ternary' matches no layer, the layers are: none");
}

TEST(ChooseCodebooks, RefusesWhatIsNoRule) {
  const Graph graph = make_network("lenet300", {});
  for (const std::string rule : {"", "fc1=", "=ternary", "="}) {
    EXPECT_EQ(
        refusal(graph, {rule}),
        "[codebook] '" + rule + "' is not a rule, expected SET or PATTERN=SET, as 'fc*=ternary'");
  }
  EXPECT_THAT(refusal(graph, {"fc1=quaternary"}), testing::HasSubstr("'quaternary'"));
  EXPECT_THAT(refusal(graph, {"ternary/row"}), testing::HasSubstr("'ternary/row'"));
}

TEST(ChooseCodebooks, WantsAtLeastOneLowBitLayer) {
  constexpr const char* kMessage =
      "[codebook] every layer stays float, expected a codebook for at least one";
  EXPECT_EQ(refusal(make_network("lenet300", {}), {"ternary", "float"}), kMessage);
  EXPECT_EQ(refusal(make_network("lenet300", {}), {}), kMessage);
}

TEST(ProjectWeights, PacksTheProjectionOfWeightsThatHaveASet) {
  const Graph graph = make_network("lenet300", {.seed = 4});
  const std::vector<std::string> rules = {"fc1=ternary/channel", "fc2=kmeans:3"};
  const Graph packed = project_weights(graph, choose_codebooks(graph, rules));
  for (const auto& [name, set] :
       {std::pair("fc1.weight", "ternary/channel"), {"fc2.weight", "kmeans:3/none"}}) {
    const auto* low_bit = std::get_if<LowBitTensor>(packed.find_initializer(name));
    ASSERT_NE(low_bit, nullptr) << name;
    EXPECT_EQ(low_bit->set, parse_projector(set)->name());
    const Tensor before = decode(*graph.find_initializer(name));
    const Tensor after = decode(*low_bit);
    const Quantized expected =
        parse_projector(set)->project(before.as_floats(), channel_layout(before.shape(), 0));
    std::vector<float> values(expected.codes.size());
    decode(expected, values);
    EXPECT_EQ(after, Tensor::floats(before.shape(), values)) << name;
  }
  for (const char* name : {"fc3.weight", "fc1.bias"}) {
    EXPECT_EQ(decode(*packed.find_initializer(name)), decode(*graph.find_initializer(name)));
    EXPECT_TRUE(std::holds_alternative<Tensor>(*packed.find_initializer(name))) << name;
  }
}

// "fc1.weight [300, 784] matrix"
std::vector<std::string> trainable(const Graph& graph) {
  std::vector<std::string> result;
  for (const Parameter& parameter : trainable_parameters(graph)) {
    result.push_back(parameter.initializer + " " + to_string(parameter.shape) +
                     (parameter.matrix ? " matrix" : ""));
  }
  return result;
}

TEST(TrainableParameters, OfTheZooAreWeightsAndBiasesButNotTheMean) {
  EXPECT_THAT(trainable(make_network("lenet5", {})),
              ElementsAre("conv1.weight [20, 1, 5, 5] matrix",
                          "conv2.weight [50, 20, 5, 5] matrix",
                          "fc1.weight [500, 800] matrix",
                          "fc2.weight [10, 500] matrix",
                          "conv1.bias [20]",
                          "conv2.bias [50]",
                          "fc1.bias [500]",
                          "fc2.bias [10]"));
}

TEST(TrainableParameters, HoldWhatIsAddedToAMatrixProduct) {
  Random random(1);
  Graph graph = reference::single({2, 4}, {});
  reference::add_random(graph, "shift", {4}, random);
  reference::add_random(graph, "w1", {4, 6}, random);
  reference::add_random(graph, "b1", {6}, random);
  reference::add_random(graph, "w2", {6, 3}, random);
  reference::add_random(graph, "b2", {3}, random);
  graph.nodes = {reference::node("Add", {"x", "shift"}, {}, "s"),
                 reference::node("MatMul", {"s", "w1"}, {}, "h"),
                 reference::node("Add", {"h", "b1"}, {}, "g"),
                 reference::node("MatMul", {"g", "w2"}, {}, "p"),
                 reference::node("Add", {"b2", "p"})};
  EXPECT_THAT(trainable(graph),
              ElementsAre("w1 [4, 6] matrix", "w2 [6, 3] matrix", "b1 [6]", "b2 [3]"));
}

TEST(TrainableParameters, HoldANormsScaleAndBiasButNotItsStatistics) {
  Random random(2);
  Graph graph = reference::single({2, 3, 4, 4}, {});
  for (const char* name : {"s", "b", "m", "v"}) reference::add_random(graph, name, {3}, random);
  graph.nodes = {reference::node("BatchNormalization", {"x", "s", "b", "m", "v"})};
  EXPECT_THAT(trainable(graph), ElementsAre("s [3]", "b [3]"));
}

TEST(TrainableParameters, HoldTheScaleOfWhatWasDividedByItsLength) {
  const Graph normalized = [] {
    Graph graph;
    graph.inputs = {reference::value("x", {1, 2, 3, 3})};
    graph.outputs = {reference::value("y", {1, 2, 3, 3})};
    const std::vector<float> scale = {20.0F, 20.0F};
    graph.initializers.emplace("scale", Tensor::floats({2, 1, 1}, scale));
    graph.initializers.emplace("least", Tensor::scalar(1e-10F));
    graph.initializers.emplace("factor", Tensor::scalar(0.5F));
    graph.nodes = {
        reference::node("Mul", {"x", "factor"}, {}, "half"),
        reference::node("ReduceL2", {"half"}, {{"axes", std::vector<std::int64_t>{1}}}, "length"),
        reference::node("Add", {"least", "length"}, {}, "divisor"),
        reference::node("Div", {"half", "divisor"}, {}, "direction"),
        reference::node("Mul", {"scale", "direction"}, {}, "y")};
    return graph;
  }();
  const std::vector<Parameter> found = trainable_parameters(normalized);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].initializer, "scale");
  EXPECT_FALSE(found[0].matrix);
}

TEST(TrainableParameters, CountASharedWeightOnce) {
  Random random(3);
  Graph graph = reference::single({2, 4}, {});
  reference::add_random(graph, "w", {4, 4}, random);
  graph.nodes = {reference::node("MatMul", {"x", "w"}, {}, "h"),
                 reference::node("MatMul", {"h", "w"})};
  EXPECT_THAT(trainable(graph), ElementsAre("w [4, 4] matrix"));
}

}  // namespace
}  // namespace lastbit
