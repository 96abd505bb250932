#include "lastbit/graph/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "tests/graph/models.h"

namespace lastbit {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(Node, IsDescribedByNameOrResult) {
  EXPECT_EQ(describe({"conv1", "Conv", "", {}, {"y"}, {}}), "'conv1' (Conv)");
  EXPECT_EQ(describe({"", "Conv", "", {}, {"y"}, {}}), "that makes 'y' (Conv)");
  EXPECT_EQ(describe({"n", "Gelu", "com.microsoft", {}, {}, {}}), "'n' (com.microsoft.Gelu)");
}

TEST(Attributes, ComeWithTheirKindOrTheFallback) {
  const Node node{"n",
                  "Conv",
                  "",
                  {},
                  {},
                  {{"group", std::int64_t{2}},
                   {"pads", Ints{1, 2}},
                   {"alpha", 0.5F},
                   {"auto_pad", std::string("VALID")}}};
  EXPECT_EQ(int_attribute(node, "group", 1), 2);
  EXPECT_EQ(int_attribute(node, "axis", 7), 7);
  EXPECT_EQ(float_attribute(node, "alpha", 0), 0.5F);
  EXPECT_EQ(string_attribute(node, "auto_pad", ""), "VALID");
  EXPECT_EQ(ints_attribute(node, "pads", {}), (Ints{1, 2}));
}

TEST(Attributes, OfAnotherKindAreErrors) {
  const Node node{"n", "Conv", "", {}, {}, {{"group", 2.0F}}};
  EXPECT_THAT([&] { return int_attribute(node, "group", 1); },
              ThrowsMessage<InputError>(
                  "[graph] node 'n' (Conv): attribute 'group' is a float, expected an integer"));
}

TEST(Dims, PrintSymbols) {
  EXPECT_EQ(to_string(std::vector<Dim>{{-1, "batch"}, {1}, {-1, ""}}), "[batch, 1, ?]");
}

TEST(LowbitCandidates, AreTheWeightsOfLayersEachOnce) {
  Graph graph = small_graph();
  graph.initializers.emplace("m.weight", ramp({3, 5}));
  graph.initializers.emplace("t", ramp({5, 5}));
  graph.nodes.push_back({"", "MatMul", "", {"y", "m.weight"}, {"z"}, {}});
  graph.nodes.push_back({"g", "Gemm", "", {"z", "t", "conv.bias"}, {"u"}, {}});
  graph.nodes.push_back({"again", "MatMul", "", {"u", "t"}, {"v"}, {}});
  graph.nodes.push_back({"sum", "Add", "", {"v", "conv.bias"}, {"w"}, {}});
  const std::vector<WeightUse> uses = lowbit_candidates(graph);
  ASSERT_EQ(uses.size(), 4U);
  EXPECT_EQ(uses[0].layer, "conv");
  EXPECT_EQ(uses[0].initializer, "conv.weight");
  EXPECT_EQ(uses[0].channel_axis, 0);
  EXPECT_EQ(uses[1].initializer, "fc.weight");
  EXPECT_EQ(uses[1].channel_axis, 0);
  EXPECT_EQ(uses[2].layer, "m");
  EXPECT_EQ(uses[2].channel_axis, 1);
  EXPECT_EQ(uses[3].layer, "g");
  EXPECT_EQ(uses[3].channel_axis, 1);
}

TEST(LowbitCandidates, LeaveOutIntegersAndComputedValues) {
  Graph graph;
  graph.initializers.emplace("i", Tensor::int64s({2, 2}, Ints{1, 2, 3, 4}));
  graph.nodes = {{"a", "MatMul", "", {"x", "i"}, {"y"}, {}},
                 {"b", "MatMul", "", {"y", "x"}, {"z"}, {}}};
  EXPECT_TRUE(lowbit_candidates(graph).empty());
}

}  // namespace
}  // namespace lastbit
