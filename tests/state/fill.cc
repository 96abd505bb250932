#include "lastbit/state/fill.h"

#include <cmath>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/runtime/session.h"
#include "lastbit/state/normalize.h"
#include "lastbit/zoo/builder.h"
#include "tests/data/files.h"

namespace lastbit {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<float> draw(std::size_t count, std::uint64_t seed, float low, float high) {
  Random random(seed, 0);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.uniform(low, high));
  return values;
}

StateTensor tensor(const std::string& name, const Shape& shape, const std::vector<float>& values) {
  return {.name = name, .type = DType::kFloat, .shape = shape, .read = [=] { return values; }};
}

// A convolution with batch norm and a full layer.
Graph small_net(const std::string& center = "none") {
  NetworkBuilder network("net", {.input = {3, 4, 4}, .center = center}, "relu");
  network.convolution("conv1", 4, {.kernel = 3, .pad = 1});
  network.batch_norm("bn1");
  network.activation("act1");
  network.flatten();
  network.fully_connected("fc", 5);
  return network.finish();
}

std::vector<StateTensor> state_for(const Graph& graph) {
  std::vector<StateTensor> state;
  std::uint64_t seed = 0;
  for (const std::string& name : weight_constants(graph)) {
    const Shape& shape = shape_of(*graph.find_initializer(name));
    const auto count = static_cast<std::size_t>(element_count(shape));
    state.push_back(tensor(name, shape, draw(count, ++seed, 0.1F, 1.0F)));
  }
  return state;
}

std::vector<std::string> names_of(const std::vector<StateTensor>& state) {
  std::vector<std::string> names;
  names.reserve(state.size());
  for (const StateTensor& item : state) names.push_back(item.name);
  return names;
}

std::vector<float> outputs(const Graph& graph, const std::vector<float>& input) {
  Session session(graph);
  std::vector<float> output(5);
  const std::span<const float> in = input;
  const std::span<float> out = output;
  session.run({&in, 1}, {&out, 1});
  return output;
}

std::vector<float> some_image() { return draw(48, 99, -1, 1); }

void expect_near(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  // Sums of some hundred terms of size 1, in another order.
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-5F * (10 + std::abs(b[i])));
}

TEST(Fill, PutsEveryTensorInItsConstant) {
  Graph graph = small_net();
  const std::vector<StateTensor> state = state_for(graph);
  const std::vector<FillRow> rows = fill_by_name(graph, state, names_of(state));
  ASSERT_EQ(rows.size(), 7U);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].constant, state[i].name);
    const Tensor filled = decode(*graph.find_initializer(rows[i].constant));
    const std::vector<float> values = state[i].read();
    EXPECT_THAT(filled.as_floats(), ::testing::ElementsAreArray(values));
  }
  Graph in_order = small_net();
  std::vector<StateTensor> others = state;
  for (StateTensor& item : others) item.name = "x." + item.name;
  others.insert(others.begin() + 5, tensor("bn1.num_batches_tracked", {}, {}));
  fill_in_order(in_order, others);
  EXPECT_EQ(serialize_onnx(in_order), serialize_onnx(graph));
}

// The network as it was trained: a bias before the batch norm, and the batch norm or none.
Graph trained(const std::vector<StateTensor>& state, const StateTensor& bias, bool norm) {
  Graph graph = small_net();
  for (const StateTensor& item : state) {
    graph.initializers.at(item.name) = Tensor::floats(item.shape, item.read());
  }
  graph.initializers.emplace("conv1.bias", Tensor::floats(bias.shape, bias.read()));
  graph.nodes[0].inputs.push_back("conv1.bias");
  if (!norm) {
    graph.nodes[2].inputs[0] = graph.nodes[0].outputs[0];
    graph.nodes.erase(graph.nodes.begin() + 1);
  }
  return graph;
}

TEST(Fill, TakesBiasesIntoTheBatchNormBehind) {
  Graph graph = small_net();
  std::vector<StateTensor> state = state_for(graph);
  const StateTensor bias = tensor("conv1.bias", {4}, draw(4, 7, -1, 1));
  const Graph expected = trained(state, bias, true);
  state.push_back(bias);
  const std::vector<FillRow> rows = fill_by_name(graph, state, names_of(state));
  EXPECT_EQ(rows[3].constant, "bn1.mean");
  EXPECT_EQ(rows[3].source, "bn1.mean - conv1.bias");
  expect_near(outputs(graph, some_image()), outputs(expected, some_image()));
}

TEST(Fill, MakesBatchNormAddTheBiasWhereTheStateHasNone) {
  Graph graph = small_net();
  std::vector<StateTensor> state = state_for(graph);
  const StateTensor bias = tensor("conv1.bias", {4}, draw(4, 7, -1, 1));
  const Graph expected = trained(state, bias, false);
  std::erase_if(state, [](const StateTensor& item) { return item.name.starts_with("bn1"); });
  state.push_back(bias);
  const std::vector<FillRow> rows = fill_by_name(graph, state, names_of(state));
  EXPECT_EQ(rows[2].source, "conv1.bias");
  EXPECT_EQ(rows[1].source, "(no batch norm)");
  expect_near(outputs(graph, some_image()), outputs(expected, some_image()));
}

std::string refusal(const std::vector<StateTensor>& state, std::vector<std::string> names) {
  Graph graph = small_net();
  return error_of<InputError>([&] { fill_by_name(graph, state, names); });
}

TEST(Fill, ListsLeftoversOnBothSides) {
  std::vector<StateTensor> state = state_for(small_net());
  state[0].name = "first.weight";
  state[6].name = "last.bias";
  EXPECT_THAT(
      refusal(state, names_of(state)),
      AllOf(HasSubstr("the state does not fit net; it has no place for: first.weight [4, 3, "
                      "3, 3], last.bias [5]; the state lacks: conv1.weight, fc.bias"),
            HasSubstr("--map")));
  state = state_for(small_net());
  for (int i = 0; i < 50; ++i) state.push_back(tensor(cat("x", i), {1}, {1}));
  EXPECT_THAT(refusal(state, names_of(state)),
              AllOf(HasSubstr("x19 [1] and 30 more"), Not(HasSubstr("lacks"))));
}

TEST(Fill, NamesShapesThatDiffer) {
  std::vector<StateTensor> state = state_for(small_net());
  state[0].shape = {4, 3, 5, 5};
  state[5].shape = {5, 64, 1, 1};
  EXPECT_THAT(
      refusal(state, names_of(state)),
      HasSubstr("shapes of net and of the state differ: conv1.weight is [4, 3, 3, 3], "
                "conv1.weight [4, 3, 5, 5], fc.weight is [5, 64], fc.weight [5, 64, 1, 1]"));
}

TEST(Fill, RefusesTwoTensorsOfOneName) {
  std::vector<StateTensor> state = state_for(small_net());
  std::vector<std::string> names = names_of(state);
  names[6] = names[1];
  EXPECT_THAT(refusal(state, names),
              HasSubstr("the tensors bn1.weight and fc.bias are both called bn1.weight in net"));
}

TEST(Fill, RefusesOrdersOfAnotherLength) {
  Graph graph = small_net();
  std::vector<StateTensor> state = state_for(graph);
  state.pop_back();
  EXPECT_THAT(error_of<InputError>([&] { fill_in_order(graph, state); }),
              HasSubstr("the state has 6 tensors, expected the 7 of net"));
}

TEST(Normalize, SubtractsTheMeanAndDividesByTheDeviation) {
  Graph plain = small_net();
  Graph graph = small_net("channel");
  const Normalization numbers{{0.1F, -0.2F, 0.3F}, {0.5F, 2.0F, 0.25F}};
  normalize_input(graph, numbers);
  const std::vector<float> image = some_image();
  std::vector<float> normal = image;
  for (std::size_t i = 0; i < image.size(); ++i) {
    normal[i] = (image[i] - numbers.mean[i / 16]) / numbers.deviation[i / 16];
  }
  expect_near(outputs(graph, some_image()), outputs(plain, normal));
  // Through a file as well.
  const std::string file = serialize_onnx(graph);
  expect_near(outputs(parse_onnx(std::as_bytes(std::span(file))), image), outputs(plain, normal));
}

TEST(Normalize, RefusesNumbersThatDoNotFit) {
  const auto refusal = [](const Normalization& numbers) {
    Graph graph = small_net("channel");
    return error_of<InputError>([&] { normalize_input(graph, numbers); });
  };
  EXPECT_THAT(refusal({{1, 2}, {}}), HasSubstr("the mean has 2 numbers, expected 3"));
  EXPECT_THAT(refusal({{}, {1, 2, 0}}),
              HasSubstr("the deviation has the number 0, expected positive"));
  EXPECT_THAT(refusal({{1, NAN, 0}, {}}), HasSubstr("the mean has the number nan"));
  EXPECT_THAT(error_of<InputError>([] { known_normalization("svhn"); }),
              HasSubstr("expected one of none, imagenet, cifar10"));
  Graph graph = small_net();
  EXPECT_THAT(error_of<InputError>([&] { normalize_input(graph, known_normalization("cifar10")); }),
              HasSubstr("has no mean of its input"));
}

}  // namespace
}  // namespace lastbit
