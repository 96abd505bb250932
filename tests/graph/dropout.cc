#include "lastbit/graph/dropout.h"

#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/zoo/zoo.h"
#include "tests/runtime/reference.h"

namespace lastbit {
namespace {

using testing::ElementsAre;

// What takes a dropped value.
std::vector<std::string> dropped_by(const Graph& graph) {
  std::vector<std::string> result;
  std::string dropped;
  for (const Node& node : graph.nodes) {
    if (!dropped.empty() && node.inputs.front() == dropped) result.push_back(node.name);
    if (node.op == "Dropout") dropped = node.outputs.front();
  }
  return result;
}

TEST(AddedDropout, IsBeforeRecurrentLayersAndTheLast) {
  const Graph language = make_network("lstm-lm", {.words = 9, .units = 4, .layers = 3});
  EXPECT_THAT(dropped_by(with_dropout(language, 0.25F)),
              ElementsAre("lstm1", "lstm2", "lstm3", "softmax"));
  EXPECT_THAT(dropped_by(with_dropout(make_network("gru-lm", {.words = 9, .units = 4}), 0.25F)),
              ElementsAre("gru1", "gru2", "softmax"));
  EXPECT_THAT(dropped_by(with_dropout(make_network("lenet5", {}), 0.25F)), ElementsAre("fc2"));
}

TEST(AddedDropout, LiesWhereTheZooPutsIt) {
  const ZooOptions options{.words = 9, .units = 4, .layers = 2};
  ZooOptions own = options;
  own.dropout = 0.25F;
  const Graph zoo = make_network("lstm-lm", own);
  EXPECT_EQ(dropped_by(with_dropout(make_network("lstm-lm", options), 0.25F)), dropped_by(zoo));
}

TEST(AddedDropout, IsTakenOutWithoutATrace) {
  for (const std::string network : {"lstm-lm", "lenet5", "mlp"}) {
    ZooOptions options;
    if (network == "lstm-lm") options = {.words = 9, .units = 4, .dropout = 0.5F};
    const Graph graph = make_network(network, options);
    const Graph dropping = with_dropout(graph, 0.5F);
    EXPECT_NE(serialize_onnx(dropping), serialize_onnx(graph)) << network;
    EXPECT_EQ(serialize_onnx(without_added_dropout(dropping)), serialize_onnx(graph)) << network;
    EXPECT_EQ(serialize_onnx(with_dropout(graph, 0.0F)), serialize_onnx(graph)) << network;
    EXPECT_EQ(serialize_onnx(without_added_dropout(graph)), serialize_onnx(graph)) << network;
  }
}

TEST(AddedDropout, IsASharePerNetworkThatHasAPlaceForIt) {
  const Graph graph = make_network("lenet300", {});
  for (const float share : {-0.1F, 1.0F, 2.0F, std::nanf("")}) {
    EXPECT_THROW(with_dropout(graph, share), InputError) << share;
  }
  const Graph none = reference::single({1, 3}, {reference::node("Relu", {"x"})});
  EXPECT_THROW(with_dropout(none, 0.5F), InputError);
}

}  // namespace
}  // namespace lastbit
