#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "tests/graph/models.h"
#include "tests/graph/written_models.h"

namespace lastbit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// A call whose parts `change` may spoil.
std::string call(const std::function<void(Graph&)>& change) {
  Graph graph;
  graph.opset = 13;
  const std::vector<std::uint8_t> codes{200, 1};
  const std::vector<std::int32_t> places{1, 3, 9, 27, 81};
  const std::vector<float> levels{-1, 0, 1};
  const std::vector<float> scale{0.5F};
  graph.initializers = {{"codes", Tensor(DType::kUint8, {2, 1}, std::as_bytes(std::span(codes)))},
                        {"places", Tensor(DType::kInt32, {5}, std::as_bytes(std::span(places)))},
                        {"levels", Tensor::floats({3}, levels)},
                        {"scales", Tensor::floats({1}, scale)}};
  graph.nodes = {{"decode",
                  "Decode",
                  "lastbit.v1",
                  {"codes", "places", "levels", "scales"},
                  {"w"},
                  {{"shape", Ints{6}}}}};
  change(graph);
  return model([&](pbf_writer& w) {
    for (const Node& n : graph.nodes) {
      w.add_message(1, node(n.name, n.op, n.inputs, n.outputs, [&](pbf_writer& more) {
                      more.add_string(7, n.domain);
                      for (const auto& [key, values] : n.attributes) {
                        more.add_message(
                            5,
                            message([&, name = key, ints = std::get<Ints>(values)](pbf_writer& a) {
                              a.add_string(1, name);
                              for (const std::int64_t value : ints) a.add_int64(8, value);
                              a.add_int32(20, 7);
                            }));
                      }
                    }));
    }
    for (const auto& [name, plain] : graph.initializers) {
      const Tensor& t = std::get<Tensor>(plain);
      w.add_message(5, tensor(name, static_cast<int>(t.type()), t.shape(), [&](pbf_writer& data) {
                      data.add_bytes(
                          9, reinterpret_cast<const char*>(t.bytes().data()), t.bytes().size());
                    }));
    }
    w.add_message(11, value("x", {6}));
    w.add_message(12, value("w", {6}));
  });
}

TEST(DecodeCall, BecomesALowBitInitializer) {
  const Graph graph = parse(call([](Graph&) {}));
  EXPECT_TRUE(graph.nodes.empty());
  EXPECT_EQ(graph.initializers.size(), 1U);
  EXPECT_THAT(decode(*graph.find_initializer("w")).as_floats(),
              ElementsAre(0.5F, -0.5F, 0.0F, 0.0F, 0.5F, 0.0F));
}

TEST(DecodeCall, LeavesThePartsThatSomethingElseUses) {
  const Graph graph = parse(call([](Graph& g) {
    g.nodes.push_back({"more", "Relu", "", {"scales"}, {"z"}, {}});
  }));
  EXPECT_EQ(graph.initializers.size(), 2U);
  EXPECT_NE(graph.find_initializer("scales"), nullptr);
}

TEST(DecodeCall, WhosePartsDoNotFitIsRefused) {
  const auto refuse = [](const std::function<void(Graph&)>& change, const std::string& words) {
    EXPECT_THAT([&] { return parse(call(change)); },
                ThrowsMessage<FormatError>(::testing::AllOf(
                    HasSubstr("node 'decode' (lastbit.v1.Decode)"), HasSubstr(words))));
  };
  const auto set = [](Graph& graph, const std::string& name, Tensor tensor) {
    graph.initializers.insert_or_assign(name, std::move(tensor));
  };
  const std::vector<std::uint8_t> bytes{243, 1, 0};
  const auto codes = [&](std::size_t first, std::size_t count) {
    return Tensor(DType::kUint8,
                  {static_cast<std::int64_t>(count), 1},
                  std::as_bytes(std::span(bytes).subspan(first, count)));
  };
  refuse([&](Graph& g) { set(g, "codes", codes(0, 2)); }, "243");
  refuse([&](Graph& g) { set(g, "codes", codes(1, 1)); }, "bytes");
  refuse([&](Graph& g) { set(g, "codes", ramp({2, 1})); }, "input 'codes' must be uint8");
  refuse(
      [&](Graph& g) {
        set(g, "codes", Tensor(DType::kUint8, {1, 2}, std::as_bytes(std::span(bytes).first(2))));
      },
      "expected [bytes, 1]");
  refuse([&](Graph& g) { set(g, "places", Tensor(DType::kInt32, {0}, {})); },
         "'places' must be the powers of 3: [1, 3, 9, 27, 81]");
  refuse(
      [&](Graph& g) {
        set(g, "levels", Tensor::floats({3}, std::vector<float>{0, 2, 1}));
      },
      "level");
  refuse([&](Graph& g) { set(g, "scales", ramp({5})); }, "scales of shape [5] do not fit");
  refuse([&](Graph& g) { set(g, "scales", Tensor::scalar(1)); }, "scales of shape [] do not fit");
  refuse([](Graph& g) { g.nodes[0].attributes["shape"] = Ints{1LL << 62, 8}; }, "shape");
  refuse([](Graph& g) { g.nodes[0].attributes["shape"] = Ints{-6}; }, "shape [-6]");
  refuse([](Graph& g) { g.nodes[0].attributes.clear(); }, "shape []");
  refuse([](Graph& g) { g.nodes[0].inputs.pop_back(); }, "expected 4 inputs");
}

// Two channels of three weights, in groups of two.
void by_group(Graph& graph) {
  graph.nodes[0].op = "DecodeGroups";
  graph.nodes[0].attributes = {{"shape", Ints{3, 2}}, {"group", Ints{2}}, {"layout", Ints{3, 1}}};
  graph.initializers.insert_or_assign("scales",
                                      Tensor::floats({2, 2, 1}, std::vector<float>{1, 2, 3, 4}));
}

TEST(DecodeGroupsCall, BecomesALowBitInitializer) {
  const Graph graph = parse(call(by_group));
  EXPECT_TRUE(graph.nodes.empty());
  EXPECT_EQ(graph.initializers.size(), 1U);
  // Codes 2 0 1 1 2 1; the last row is the second group of both channels.
  EXPECT_THAT(decode(*graph.find_initializer("w")).as_floats(),
              ElementsAre(1.0F, -3.0F, 0.0F, 0.0F, 2.0F, 0.0F));
}

TEST(DecodeGroupsCall, WhosePartsDoNotFitIsRefused) {
  const auto refuse = [](const std::function<void(Graph&)>& change, const std::string& words) {
    const auto both = [&](Graph& graph) {
      by_group(graph);
      change(graph);
    };
    EXPECT_THAT([&] { return parse(call(both)); },
                ThrowsMessage<FormatError>(::testing::AllOf(
                    HasSubstr("node 'decode' (lastbit.v1.DecodeGroups)"), HasSubstr(words))));
  };
  const auto set = [](const std::string& name, const Ints& values) {
    return [=](Graph& graph) { graph.nodes[0].attributes[name] = values; };
  };
  refuse(set("group", {}), "'group' is []");
  refuse(set("group", {2, 2}), "'group' is [2, 2]");
  refuse(set("group", {0}), "'group' is [0]");
  refuse(set("group", {-2}), "'group' is [-2]");
  refuse(set("group", {4}), "groups of 4 weights, expected 1 to 3");
  refuse(set("group", {3}), "expected [2, 1, 1] for groups of 3 weights");
  refuse(set("layout", {3}), "'layout' [3]");
  refuse(set("layout", {3, 2}), "do not fit a tensor of shape [3, 2]");
  refuse(set("layout", {-3, -1}), "do not fit a tensor of shape [3, 2]");
  refuse(set("layout", {1LL << 62, 1LL << 62}), "do not fit a tensor of shape [3, 2]");
  refuse([](Graph& g) { g.nodes[0].attributes.erase("group"); }, "'group' is []");
  refuse([](Graph& g) { g.initializers.insert_or_assign("scales", ramp({4})); }, "expected rank 3");
  refuse(
      [](Graph& g) {
        g.initializers.insert_or_assign("scales", ramp({2, 2, 2}));
      },
      "expected [2, 2, 1]");
}

TEST(DecodeCall, OfAComputedValueIsRefused) {
  expect_refusal(call([](Graph& graph) { graph.nodes[0].inputs[3] = std::string("x"); }),
                 "input 'scales' (value 'x') must be an initializer");
}

}  // namespace
}  // namespace lastbit
