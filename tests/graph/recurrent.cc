#include "lastbit/graph/recurrent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/graph/parameters.h"
#include "lastbit/graph/products.h"
#include "lastbit/graph/shapes.h"
#include "tests/graph/models.h"

// LSTM, GRU, Gather and Cast: shapes, weights, and what is refused.

namespace lastbit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::map<std::string, Shape, std::less<>> no_shapes;

Value value(std::string name, const Shape& shape, DType type = DType::kFloat) {
  Value v{std::move(name), type, {}};
  for (const std::int64_t size : shape) v.dims.push_back({size, {}});
  return v;
}

// Node "n" over X [5, 2, 7] with 3 hidden units, one direction; outputs y, h and, for LSTM, c.
Graph recurrent(const std::string& op) {
  const std::int64_t rows = op == "LSTM" ? 12 : 9;
  Graph g;
  g.inputs = {value("x", {5, 2, 7}), value("h0", {1, 2, 3})};
  g.initializers.emplace("w", ramp({1, rows, 7}));
  g.initializers.emplace("r", ramp({1, rows, 3}));
  g.initializers.emplace("b", ramp({1, 2 * rows}));
  Node node{"n", op, "", {"x", "w", "r", "b", "", "h0"}, {"y", "h"}, {}};
  if (op == "LSTM") {
    g.inputs.push_back(value("c0", {1, 2, 3}));
    node.inputs.emplace_back("c0");
    node.outputs.emplace_back("c");
  }
  g.nodes = {std::move(node)};
  g.outputs = {{"h", DType::kFloat, {}}};
  return g;
}

std::string refusal(const Graph& graph) {
  try {
    infer_shapes(graph, no_shapes);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

Graph with_attribute(const std::string& op, const std::string& name, Attribute attribute) {
  Graph graph = recurrent(op);
  graph.nodes[0].attributes.emplace(name, std::move(attribute));
  return graph;
}

Graph with_shape(const std::string& op, const std::string& name, const Shape& shape) {
  Graph graph = recurrent(op);
  if (graph.initializers.contains(name)) graph.initializers.insert_or_assign(name, ramp(shape));
  for (Value& input : graph.inputs) {
    if (input.name == name) input = value(name, shape);
  }
  return graph;
}

TEST(RecurrentShapes, AreThoseOfAllStepsAndTheLast) {
  for (const char* op : {"LSTM", "GRU"}) {
    const TypeMap types = infer_shapes(recurrent(op), no_shapes);
    EXPECT_EQ(types.at("y").shape, (Shape{5, 1, 2, 3})) << op;
    EXPECT_EQ(types.at("h").shape, (Shape{1, 2, 3})) << op;
  }
  EXPECT_EQ(infer_shapes(recurrent("LSTM"), no_shapes).at("c").shape, (Shape{1, 2, 3}));
  Graph both = with_attribute("GRU", "direction", std::string("bidirectional"));
  both.initializers.insert_or_assign("w", ramp({2, 9, 7}));
  both.initializers.insert_or_assign("r", ramp({2, 9, 3}));
  both.initializers.insert_or_assign("b", ramp({2, 18}));
  both.inputs[1] = value("h0", {2, 2, 3});
  EXPECT_EQ(infer_shapes(both, no_shapes).at("y").shape, (Shape{5, 2, 2, 3}));
}

TEST(RecurrentShapes, NeedNoFirstOutput) {
  Graph graph = recurrent("GRU");
  graph.nodes[0].outputs = {"", "h"};
  EXPECT_EQ(infer_shapes(graph, no_shapes).at("h").shape, (Shape{1, 2, 3}));
  graph.nodes[0].outputs = {"", ""};
  EXPECT_THAT(refusal(graph), HasSubstr("none of its outputs has a name"));
  graph.nodes[0].outputs = {"y", "h", "c"};
  EXPECT_THAT(refusal(graph), HasSubstr("output 3 ('c') is not supported"));
}

TEST(RecurrentShapes, ThatDoNotFitAreNamed) {
  const auto expect = [](const std::string& name, const Shape& shape, const std::string& words) {
    EXPECT_THAT(refusal(with_shape("LSTM", name, shape)),
                testing::AllOf(HasSubstr("[shapes] node 'n' (LSTM): "), HasSubstr(words)));
  };
  expect("w", {1, 12, 8}, "W has shape [1, 12, 8], expected [1, 12, 7]");
  expect("w", {2, 12, 7}, "W has shape [2, 12, 7], expected [1, 12, 7]");
  expect("w", {12, 7}, "W has shape [12, 7]");
  expect("r", {1, 9, 3}, "R has shape [1, 9, 3], expected [1, 12, 3]");
  expect("r", {12, 3}, "expected [steps, batch, inputs] and [directions, 4 * hidden, hidden]");
  expect("r", {}, "X and R have shapes [5, 2, 7] and []");
  expect("b", {1, 12}, "B has shape [1, 12], expected [1, 24]");
  expect("x", {5, 7}, "X and R have shapes [5, 7]");
  expect("h0", {1, 5, 3}, "initial_h has shape [1, 5, 3], expected [1, 2, 3]");
  expect("c0", {2, 3}, "initial_c has shape [2, 3], expected [1, 2, 3]");
  EXPECT_THAT(refusal(with_shape("GRU", "r", {1, 12, 3})), HasSubstr("expected [1, 9, 3]"));
}

TEST(RecurrentAttributes, ThatAreNotSupportedAreRefused) {
  const auto expect = [](const std::string& op,
                         const std::string& name,
                         Attribute attribute,
                         const std::string& words) {
    EXPECT_THAT(refusal(with_attribute(op, name, std::move(attribute))), HasSubstr(words));
  };
  using Words = std::vector<std::string>;
  const std::int64_t one = 1;
  expect("LSTM",
         "direction",
         std::string("up"),
         "attribute 'direction' is 'up', expected forward, reverse or bidirectional");
  expect("LSTM", "direction", one, "attribute 'direction' is an integer, expected a string");
  expect("LSTM", "layout", one, "attribute 'layout' is 1, supported is 0");
  expect("LSTM", "input_forget", one, "attribute 'input_forget' is 1");
  expect("LSTM", "linear_before_reset", one, "'linear_before_reset' is 1, supported is 0");
  expect("GRU", "linear_before_reset", std::int64_t{2}, "is 2, supported is 0 or 1");
  expect("GRU", "clip", 3.0F, "attribute 'clip' is not supported");
  expect("GRU", "hidden_size", std::int64_t{4}, "attribute 'hidden_size' is not that of R, 3");
  expect("LSTM", "activations", Words{"Sigmoid", "Relu", "Tanh"}, "the default ones");
  expect("GRU", "activations", Words{"Sigmoid", "Tanh", "Tanh"}, "the default ones");
  expect("GRU", "activations", one, "the default ones");
  EXPECT_EQ(refusal(with_attribute("LSTM", "activations", Words{"Sigmoid", "Tanh", "Tanh"})),
            "no error");
}

TEST(RecurrentInputs, ThatAreNotSupportedAreRefused) {
  Graph graph = recurrent("LSTM");
  graph.initializers.emplace("p", ramp({1, 9}));
  graph.nodes[0].inputs.emplace_back("p");
  EXPECT_THAT(refusal(graph), HasSubstr("peepholes ('p') are not supported"));

  graph = recurrent("LSTM");
  graph.nodes[0].inputs[2] = "";
  EXPECT_THAT(refusal(graph), HasSubstr("input 3 must not be omitted"));
  graph.nodes[0].inputs = {"x", "w"};
  EXPECT_THAT(refusal(graph), HasSubstr("expected 3 to 8 inputs, got 2"));

  for (const auto& lengths : {std::vector<std::int32_t>{5, 4}, {5}}) {
    graph = recurrent("GRU");
    const Shape shape{static_cast<std::int64_t>(lengths.size())};
    graph.initializers.emplace("l",
                               Tensor(DType::kInt32, shape, std::as_bytes(std::span(lengths))));
    graph.nodes[0].inputs[4] = "l";
    EXPECT_THAT(refusal(graph), HasSubstr("sequence_lens 'l' must be left out, or constant and 5"));
  }
  graph.initializers.erase("l");
  graph.inputs.push_back(value("l", {2}, DType::kInt32));
  EXPECT_THAT(refusal(graph), HasSubstr("sequence_lens 'l' must be left out"));

  graph = recurrent("GRU");
  graph.inputs[1].type = DType::kDouble;
  EXPECT_THAT(refusal(graph), HasSubstr("expected one type"));
}

TEST(RecurrentWeights, AreInputAndRecurrentMatricesWithRowsAsChannels) {
  const Graph graph = recurrent("LSTM");
  const std::vector<WeightUse> uses = lowbit_candidates(graph);
  ASSERT_EQ(uses.size(), 2U);
  EXPECT_EQ(uses[0].layer, "n.input");
  EXPECT_EQ(uses[0].initializer, "w");
  EXPECT_EQ(uses[0].channel_axis, 1);
  EXPECT_EQ(uses[1].layer, "n.recurrent");
  EXPECT_EQ(uses[1].initializer, "r");

  const std::vector<std::string> rules{"n.*=ternary/channel"};
  const Graph packed = project_weights(graph, choose_codebooks(graph, rules));
  EXPECT_EQ(std::get<LowBitTensor>(*packed.find_initializer("w")).scale_shape, (Shape{1, 12, 1}));
  std::vector<std::string> names;
  for (const Parameter& parameter : trainable_parameters(graph)) {
    names.push_back(parameter.initializer);
  }
  EXPECT_THAT(names, ElementsAre("w", "r", "b"));
}

// Weights of a layer of two directions whose gates differ in size.
Graph both_directions(const std::string& op, Random& random) {
  const std::int64_t gates = op == "LSTM" ? 4 : 3;
  Graph graph = recurrent(op);
  graph.inputs[1].dims[0].size = 2;
  if (op == "LSTM") graph.inputs[2].dims[0].size = 2;
  graph.nodes[0].attributes.emplace("direction", std::string("bidirectional"));
  for (const auto& [name, columns] : {std::pair{"w", 7}, std::pair{"r", 3}}) {
    std::vector<float> values(static_cast<std::size_t>(2 * gates * 3 * columns));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto gate = i / static_cast<std::size_t>(3 * columns);
      values[i] = static_cast<float>(random.normal() * static_cast<double>(1 + gate));
    }
    graph.initializers.insert_or_assign(name, Tensor::floats({2, gates * 3, columns}, values));
  }
  graph.initializers.insert_or_assign("b", ramp({2, 2 * gates * 3}));
  return graph;
}

TEST(GateScales, AreThoseOfEachGateProjectedAlone) {
  Random random(1);
  for (const std::string op : {"LSTM", "GRU"}) {
    for (const std::string form : {"ternary", "binary", "shift:2"}) {
      SCOPED_TRACE(op + " " + form);
      const Graph graph = both_directions(op, random);
      const std::vector<std::string> rules{form + "/gate"};
      const Graph packed = project_weights(graph, choose_codebooks(graph, rules));
      for (const std::string name : {"w", "r"}) {
        const auto& tensor = std::get<LowBitTensor>(*packed.find_initializer(name));
        EXPECT_EQ(tensor.set, form + "/gate");
        const Tensor before = decode(*graph.find_initializer(name));
        const Tensor after = decode(*packed.find_initializer(name));
        const std::size_t gates = op == "LSTM" ? 8 : 6;  // of both directions
        ASSERT_EQ(tensor.scales.size(), gates);
        const std::size_t size = before.as_floats().size() / gates;
        for (std::size_t gate = 0; gate < gates; ++gate) {
          const auto count = static_cast<std::int64_t>(size);
          const Quantized alone =
              parse_projector(form)->project(before.as_floats().subspan(gate * size, size),
                                             {.before = 1, .channels = 1, .after = count});
          std::vector<float> expected(size);
          decode(alone, expected);
          const auto found = after.as_floats().subspan(gate * size, size);
          EXPECT_EQ(std::vector<float>(found.begin(), found.end()), expected) << name << gate;
          EXPECT_EQ(tensor.scales[gate], alone.scales[0]);
        }
      }
    }
  }
}

TEST(GateScales, AreWrittenAndReadBack) {
  Random random(2);
  const Graph graph = both_directions("LSTM", random);
  const std::vector<std::string> rules{"ternary/gate", "*.input=ternary/channel"};
  const Graph packed = project_weights(graph, choose_codebooks(graph, rules));
  const std::string file = serialize_onnx(packed);
  const Graph again = parse_onnx(std::as_bytes(std::span(file)));
  EXPECT_EQ(std::get<LowBitTensor>(*again.find_initializer("r")),
            std::get<LowBitTensor>(*packed.find_initializer("r")));
  EXPECT_EQ(std::get<LowBitTensor>(*again.find_initializer("r")).scale_shape, (Shape{8, 1, 1}));
}

TEST(GateScales, AreForRecurrentLayersAlone) {
  Graph graph = recurrent("LSTM");
  graph.initializers.emplace("table", ramp({10, 4}));
  graph.nodes.push_back(Node{"embedding", "Gather", "", {"table", "x"}, {"y2"}, {}});
  const auto refused = [&](std::vector<std::string> rules) {
    try {
      choose_codebooks(graph, rules);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(
      refused({"ternary/gate"}),
      "[codebook] 'embedding' has no gates, expected another set than ternary/gate for what is "
      "no LSTM or GRU");
  EXPECT_EQ(refused({"ternary/gate", "embedding=ternary/channel"}), "no error");
}

TEST(RecurrentProducts, AreOneAWeightAndStep) {
  const Graph graph = recurrent("LSTM");
  EXPECT_EQ(product_count(graph, infer_shapes(graph, no_shapes)), 5 * 2 * 12 * (7 + 3));
}

// y = Gather(table, x)
Graph gather(const Shape& indices, std::int64_t axis, DType type = DType::kInt64) {
  Graph graph;
  graph.inputs = {value("x", indices, type)};
  graph.initializers.emplace("table", ramp({10, 4}));
  graph.nodes = {Node{"n", "Gather", "", {"table", "x"}, {"y"}, {{"axis", axis}}}};
  graph.outputs = {{"y", DType::kFloat, {}}};
  return graph;
}

TEST(GatherShapes, PutThoseOfTheIndicesInPlaceOfTheAxis) {
  const auto result = [](const Graph& g) { return infer_shapes(g, no_shapes).at("y").shape; };
  EXPECT_EQ(result(gather({2, 3}, 0)), (Shape{2, 3, 4}));
  EXPECT_EQ(result(gather({2, 3}, -1, DType::kInt32)), (Shape{10, 2, 3}));
  EXPECT_EQ(result(gather({}, 1)), (Shape{10}));
  EXPECT_THAT(refusal(gather({2}, 2)), HasSubstr("axis 2 is not an axis"));
  EXPECT_THAT(refusal(gather({2}, 0, DType::kFloat)), HasSubstr("'x' are float32, expected int"));
  Graph constant = gather({}, 0);
  constant.initializers.emplace("i", Tensor::int64s({2}, Ints{-10, 10}));
  constant.nodes[0].inputs[1] = "i";
  EXPECT_THAT(refusal(constant), HasSubstr("index 10 does not lie in axis 0 of [10, 4]"));
}

TEST(GatherWeights, AreMatricesWhoseRowsAreTaken) {
  const std::vector<WeightUse> uses = lowbit_candidates(gather({2}, 0));
  ASSERT_EQ(uses.size(), 1U);
  EXPECT_EQ(uses[0].layer, "n");
  EXPECT_EQ(uses[0].channel_axis, 0);
  EXPECT_TRUE(lowbit_candidates(gather({2}, 1)).empty());
}

TEST(CastShapes, AreTheInputsWithAnotherType) {
  Graph graph;
  graph.inputs = {value("x", {2, 3})};
  graph.nodes = {Node{"n", "Cast", "", {"x"}, {"y"}, {{"to", std::int64_t{7}}}}};
  graph.outputs = {{"y", DType::kInt64, {}}};
  EXPECT_EQ(infer_shapes(graph, no_shapes).at("y"), (TensorType{DType::kInt64, {2, 3}}));
  graph.nodes[0].attributes["to"] = std::int64_t{9};
  EXPECT_THAT(refusal(graph), HasSubstr("a cast from float32 to bool is not supported"));
  graph.nodes[0].attributes.clear();
  EXPECT_THAT(refusal(graph), HasSubstr("expected an attribute 'to'"));
}

TEST(NamedSizes, AreTakenByUnknownDimensions) {
  Graph graph = gather({}, 0);
  graph.inputs[0].dims = {{-1, "batch"}, {-1, "steps"}};
  EXPECT_EQ(infer_shapes(graph, 2, {{"steps", 3}}).at("y").shape, (Shape{2, 3, 4}));
  EXPECT_EQ(infer_shapes(graph, 2, {{"steps", 3}, {"batch", 5}}).at("y").shape, (Shape{5, 3, 4}));
  const auto message = [&](const std::string& name, std::int64_t size) -> std::string {
    try {
      infer_shapes(graph, 1, {{"steps", 1}, {name, size}});
    } catch (const InputError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message("length", 3), HasSubstr("dimension 'length' cannot take size 3"));
  EXPECT_THAT(message("length", 3), HasSubstr("those that are not known: batch, steps"));
  EXPECT_THAT(message("batch", 0), HasSubstr("dimension 'batch' cannot take size 0"));
}

}  // namespace
}  // namespace lastbit
