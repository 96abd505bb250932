#include "lastbit/train/recurrent.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/runtime/session.h"
#include "support.h"
#include "tests/runtime/recurrent.h"

// LSTM and GRU in training: values against ONNX's formulas in double and the runtime, gradients
// against central differences in double.

namespace lastbit {
namespace {

using reference::RecurrentCase;
using Tensors = std::vector<torch::Tensor>;

std::vector<RecurrentCase> every_kind() {
  std::vector<RecurrentCase> cases;
  for (const char* direction : {"forward", "reverse", "bidirectional"}) {
    for (const bool states : {false, true}) {
      const RecurrentCase lstm{
          .direction = direction, .batch = 3, .bias = !states, .states = states};
      cases.push_back(lstm);
      cases.push_back(lstm);
      cases.back().bias = states;
      for (const bool reset_after : {false, true}) {
        cases.push_back(cases[cases.size() - 1]);
        cases.back().op = "GRU";
        cases.back().reset_after = reset_after;
        cases.push_back(cases.back());
        cases.back().bias = !states;
      }
    }
  }
  return cases;
}

std::string name_of(const RecurrentCase& c) {
  return cat(c.op, " ", c.direction, c.reset_after ? " reset after" : "", c.bias ? " bias" : "");
}

std::vector<std::string> names_of(const std::vector<Value>& values) {
  std::vector<std::string> names;
  for (const Value& value : values) names.push_back(value.name);
  return names;
}

Tensors tensors_of(const Graph& graph, const std::vector<std::vector<float>>& values) {
  Tensors tensors;
  for (std::size_t i = 0; i < values.size(); ++i) {
    Shape shape;
    for (const Dim& dim : graph.inputs[i].dims) shape.push_back(dim.size);
    tensors.push_back(torch::tensor(values[i]).view(shape));
  }
  return tensors;
}

// Sums of some tens of terms of about 1, and states that do not grow: see tests/runtime.
constexpr double kTolerance = 1e-5;

TEST(Recurrent, ComputesOnnxsFormulasAndWhatTheRuntimeComputes) {
  Random random(1);
  for (const RecurrentCase& which : every_kind()) {
    for (const char* set : {"float", "ternary/channel"}) {
      SCOPED_TRACE(cat(name_of(which), " ", set));
      Graph graph = which.graph(random);
      if (set != std::string("float")) graph = reference::quantized(std::move(graph), set);
      Network network(graph, {}, torch::kCPU, names_of(graph.outputs));
      Session session(network.exported());
      const auto inputs = reference::random_inputs(session, random);
      const auto by_runtime = reference::run(session, inputs);
      const auto expected = evaluate_recurrent(which, graph, inputs);
      const Tensors outputs = network.compute(tensors_of(graph, inputs));
      ASSERT_EQ(outputs.size(), expected.size());
      for (std::size_t o = 0; o < outputs.size(); ++o) {
        ASSERT_EQ(outputs[o].sizes().vec(), session.outputs()[o].shape);
        const std::vector<float> values = vector_of(outputs[o]);
        for (std::size_t i = 0; i < values.size(); ++i) {
          ASSERT_NEAR(values[i], expected[o][i], kTolerance) << o << " " << i;
          ASSERT_NEAR(values[i], by_runtime[o][i], kTolerance) << o << " " << i;
        }
      }
    }
  }
}

// A smooth sum over all outputs, other for each.
torch::Tensor total(const Tensors& outputs) {
  torch::Tensor sum = torch::zeros({}, outputs[0].options());
  double factor = 1.0;
  for (const torch::Tensor& output : outputs) {
    const torch::Tensor weights = torch::linspace(-1.0, 1.0, output.numel(), output.options());
    sum = sum + factor * (output.reshape({-1}) * weights).sum();
    factor += 0.5;
  }
  return sum;
}

TEST(Recurrent, HasTheGradientsOfCentralDifferencesInDouble) {
  Random random(2);
  for (RecurrentCase which : every_kind()) {
    SCOPED_TRACE(name_of(which));
    which.steps = 3;
    which.batch = 2;
    which.inputs = 3;
    which.hidden = 2;
    const Graph graph = which.graph(random);
    const ForwardMode mode;
    const NodeCall layer = compile_recurrent(graph.nodes[0], &mode);
    Tensors inputs;  // of the node, in double
    for (const std::string& name : graph.nodes[0].inputs) {
      inputs.emplace_back();
      if (name.empty()) continue;
      Shape shape;
      if (const Initializer* found = graph.find_initializer(name)) {
        shape = shape_of(*found);
      } else {
        const auto value = std::ranges::find(graph.inputs, name, &Value::name);
        for (const Dim& dim : value->dims) shape.push_back(dim.size);
      }
      const auto count = static_cast<std::size_t>(element_count(shape));
      inputs.back() = torch::tensor(reference::random_floats(count, random), torch::kFloat64)
                          .view(shape)
                          .set_requires_grad(true);
    }
    total(layer.call(inputs)).backward();
    const torch::NoGradGuard no_gradient;
    for (std::size_t n = 0; n < inputs.size(); ++n) {
      if (!inputs[n].defined()) continue;
      torch::Tensor flat = inputs[n].view({-1});
      const torch::Tensor gradient = inputs[n].grad().reshape({-1});
      for (std::int64_t i = 0; i < flat.numel(); ++i) {
        const double value = flat[i].item<double>();
        const double step = 0x1p-14;
        flat[i] = value + step;
        const auto high = total(layer.call(inputs)).item<double>();
        flat[i] = value - step;
        const auto low = total(layer.call(inputs)).item<double>();
        flat[i] = value;
        // Off by step^2 / 6 times a third derivative of some tens.
        ASSERT_NEAR(gradient[i].item<double>(), (high - low) / (2 * step), 3e-8) << n << " " << i;
      }
    }
  }
}

TEST(Recurrent, PutsItsGradientsInTheLeavesOwnOrder) {
  Random random(3);
  const RecurrentCase which{.direction = "bidirectional", .batch = 2};
  const Graph graph = which.graph(random);
  Network network(graph, {}, torch::kCPU, names_of(graph.outputs));
  const auto values = reference::random_floats(5 * 2 * 7, random);
  const auto states = reference::random_floats(2 * 2 * 9, random);
  const Tensors inputs = tensors_of(graph, {values, states, states});
  total(network.compute(inputs)).backward();

  const ForwardMode mode;
  Tensors exact = {inputs[0].to(torch::kFloat64)};
  for (const Network::Leaf& leaf : network.leaves()) {
    exact.push_back(leaf.value.detach().to(torch::kFloat64).set_requires_grad(true));
  }
  exact.insert(exact.end(), {torch::Tensor(), inputs[1], inputs[2]});
  total(compile_recurrent(graph.nodes[0], &mode).call(exact)).backward();
  for (std::size_t i = 0; i < 3; ++i) {
    const torch::Tensor gradient = network.leaves()[i].value.grad();
    EXPECT_EQ(gradient.data_ptr<float>(),
              network.gradients().data_ptr<float>() + network.leaves()[i].value.storage_offset());
    EXPECT_LE((gradient - exact[i + 1].grad()).abs().max().item<double>(), 1e-4) << i;
  }
}

TEST(Recurrent, GoesTheSameWayOnAGpu) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "needs a GPU";
  Random random(8);
  for (const RecurrentCase& which : every_kind()) {
    SCOPED_TRACE(name_of(which));
    const Graph graph = which.graph(random);
    Network here(graph, {}, torch::kCPU, names_of(graph.outputs));
    Network there(graph, {}, torch::kCUDA, names_of(graph.outputs));
    Tensors inputs;
    Tensors sent;
    for (const Value& input : here.inputs()) {
      Shape shape;
      for (const Dim& dim : input.dims) shape.push_back(dim.size);
      inputs.push_back(torch::randn(shape));
      sent.push_back(inputs.back().to(torch::kCUDA));
    }
    const torch::Tensor expected = total(here.compute(inputs));
    const torch::Tensor found = total(there.compute(sent));
    EXPECT_NEAR(found.item<double>(), expected.item<double>(), 1e-3);
    expected.backward();
    found.backward();
    const torch::Tensor difference = there.gradients().to(torch::kCPU) - here.gradients();
    EXPECT_LE(difference.abs().max().item<double>(), 1e-3);
  }
}

TEST(Recurrent, TrainsAndPacksItsMatricesByGate) {
  Random random(9);
  const RecurrentCase which{.op = "GRU", .direction = "bidirectional"};
  const Graph graph = which.graph(random);
  Network network(graph, constraints(graph, "ternary/gate"), torch::kCPU, {"y"});
  const Weights weights = network.constrained();
  ASSERT_EQ(weights.layers.size(), 2U);
  EXPECT_EQ(weights.layers[0].layout, (ChannelLayout{1, 6, 9 * 7}));
  EXPECT_EQ(weights.layers[1].layout, (ChannelLayout{1, 6, 9 * 9}));
  const std::vector<Quantized> low_bit = project(weights.layers, weights.value);
  const Graph packed = network.exported(low_bit);
  EXPECT_EQ(vector_of(Network(packed, {}).leaves()[0].value), decoded(low_bit[0]));
  EXPECT_EQ(std::get<LowBitTensor>(*packed.find_initializer("r")).scales, low_bit[1].scales);
}

TEST(Recurrent, RefusesStatesOfAnotherBatch) {
  Random random(4);
  const RecurrentCase which{.batch = 2};
  Graph graph = which.graph(random);
  for (Value& input : graph.inputs) input.dims[1] = {-1, "batch"};
  Network network(graph, {}, torch::kCPU, {"y", "y_h"});
  const Tensors inputs = {
      torch::zeros({5, 4, 7}), torch::zeros({1, 2, 9}), torch::zeros({1, 4, 9})};
  EXPECT_EQ(message_of<InputError>([&] { network.compute(inputs); }),
            "[shapes] node 'LSTM y' (LSTM): initial_h has shape [1, 2, 9], expected [1, 4, 9]");
  graph.nodes[0].attributes.emplace("layout", std::int64_t{1});
  EXPECT_THAT(message_of<InputError>([&] { Network(graph, {}, torch::kCPU, {"y"}); }),
              testing::HasSubstr("attribute 'layout' is 1, supported is 0"));
}

// Tokens to logits over one LSTM, with one matrix for both ends.
Graph tied_model(Random& random) {
  Graph graph;
  graph.inputs = {
      {.name = "tokens", .type = DType::kInt64, .dims = {{-1, "steps"}, {-1, "batch"}}},
      {.name = "hidden_1", .type = DType::kFloat, .dims = {{1, ""}, {-1, "batch"}, {6, ""}}},
      {.name = "cell_1", .type = DType::kFloat, .dims = {{1, ""}, {-1, "batch"}, {6, ""}}}};
  graph.nodes = {
      reference::node("Gather", {"embedding.weight", "tokens"}, {}, "embedded"),
      reference::node("LSTM", {"embedded", "w", "r", "b", "", "hidden_1", "cell_1"}, {}, "y"),
      reference::node("Squeeze", {"y", "axes"}, {}, "states"),
      reference::node("Transpose", {"embedding.weight"}, {}, "turned"),
      reference::node("MatMul", {"states", "turned"}, {}, "logits")};
  graph.nodes[0].name = "embedding";
  graph.nodes[1].outputs = {"y", "next_hidden_1", "next_cell_1"};
  graph.initializers.emplace("axes", Tensor::int64s({1}, std::vector<std::int64_t>{1}));
  reference::add_random(graph, "embedding.weight", {11, 6}, random);
  reference::add_random(graph, "w", {1, 24, 6}, random);
  reference::add_random(graph, "r", {1, 24, 6}, random);
  reference::add_random(graph, "b", {1, 48}, random);
  for (const char* name : {"logits", "next_hidden_1", "next_cell_1"}) {
    graph.outputs.push_back(reference::value(name, {}));
  }
  return graph;
}

TEST(LanguageModel, CarriesItsStateFromOneCallToTheNext) {
  Random random(5);
  const Graph graph = tied_model(random);
  Network network(graph, {}, torch::kCPU, names_of(graph.outputs));
  const torch::NoGradGuard no_gradient;
  const torch::Tensor tokens = torch::randint(11, {8, 3}, torch::kInt64);
  const torch::Tensor zeros = torch::zeros({1, 3, 6});
  const Tensors whole = network.compute(Tensors{tokens, zeros, zeros});
  const Tensors first = network.compute(Tensors{tokens.narrow(0, 0, 5), zeros, zeros});
  const Tensors second = network.compute(Tensors{tokens.narrow(0, 5, 3), first[1], first[2]});
  EXPECT_LE((torch::cat({first[0], second[0]}) - whole[0]).abs().max().item<double>(), 1e-5);
  EXPECT_LE((second[1] - whole[1]).abs().max().item<double>(), 1e-6);
  EXPECT_LE((second[2] - whole[2]).abs().max().item<double>(), 1e-6);
}

TEST(LanguageModel, TrainsATiedMatrixOnceAndFromBothEnds) {
  Random random(6);
  const Graph graph = tied_model(random);
  Network network(graph, constraints(graph, "ternary/channel"), torch::kCPU, {"logits"});
  ASSERT_EQ(network.parameters().numel(), 11 * 6 + 2 * 24 * 6 + 48);
  const torch::Tensor tokens = torch::tensor({{1L, 4L}, {-2L, 4L}});
  const torch::Tensor zeros = torch::zeros({1, 2, 6});
  const torch::Tensor logits = network.compute(Tensors{tokens, zeros, zeros})[0];
  total({logits}).backward();

  // The same with a matrix for each end.
  Tensors leaves;
  for (const Network::Leaf& leaf : network.leaves()) leaves.push_back(leaf.value);
  const torch::Tensor rows = leaves[0].detach().clone().set_requires_grad(true);
  const torch::Tensor columns = leaves[0].detach().clone().set_requires_grad(true);
  const ForwardMode mode;
  const Tensors inputs = {torch::embedding(rows, tokens.remainder(11)),
                          leaves[1].detach(),
                          leaves[2].detach(),
                          leaves[3].detach()};
  const torch::Tensor y = compile_recurrent(graph.nodes[1], &mode).call(inputs)[0];
  total({y.squeeze(1).matmul(columns.t())}).backward();
  EXPECT_LE((leaves[0].grad() - rows.grad() - columns.grad()).abs().max().item<double>(), 1e-5);

  const Weights weights = network.constrained();
  ASSERT_EQ(weights.layers.size(), 3U);
  const Graph packed = network.exported(project(weights.layers, weights.value));
  EXPECT_TRUE(std::holds_alternative<LowBitTensor>(*packed.find_initializer("embedding.weight")));
  Network again(packed, {}, torch::kCPU, names_of(packed.outputs));
  Session session(packed, {.batch = 2, .sizes = {{"steps", 2}, {"batch", 2}}});
  const auto by_runtime =
      reference::run(session, {{1, 4, 9, 4}, std::vector<float>(12), std::vector<float>(12)});
  const Tensors values = again.compute(Tensors{tokens, zeros, zeros});
  for (std::size_t o = 0; o < 3; ++o) {
    const std::vector<float> ours = vector_of(values[o]);
    for (std::size_t i = 0; i < ours.size(); ++i) {
      ASSERT_NEAR(ours[i], by_runtime[o][i], kTolerance) << o << " " << i;
    }
  }
}

TEST(LanguageModel, NamesTheTokenThatHasNoRow) {
  Random random(7);
  Network network(tied_model(random), {}, torch::kCPU, {"logits"});
  const torch::Tensor zeros = torch::zeros({1, 1, 6});
  EXPECT_EQ(message_of<InputError>([&] {
              network.compute(Tensors{torch::tensor({{3L}, {11L}}), zeros, zeros});
            }),
            "[train] node 'embedding' (Gather): index 11, expected -11 to 10");
}

TEST(Dropout, LockedDrawsOneMaskForAllSteps) {
  Graph graph = reference::single({7, 30, 50}, {reference::node("Dropout", {"x", "ratio"})});
  graph.initializers.emplace("ratio", Tensor::scalar(0.5F));
  Network network(graph, {});
  torch::manual_seed(1);
  const torch::NoGradGuard no_gradient;
  const torch::Tensor x = torch::ones({7, 30, 50});
  const auto steps_agree = [](const torch::Tensor& y) {
    return y.eq(y.narrow(0, 0, 1)).all().item<bool>();
  };
  EXPECT_FALSE(steps_agree(network.forward(x)));
  network.set_locked_dropout(true);
  const torch::Tensor y = network.forward(x);
  EXPECT_TRUE(steps_agree(y));
  EXPECT_FALSE(y.eq(network.forward(x)).all().item<bool>()) << "the next batch's mask";
  EXPECT_TRUE(torch::logical_or(y.eq(0.0), y.eq(2.0)).all().item<bool>());
  // Five deviations of a binomial share of 1500 draws.
  EXPECT_NEAR(
      y.eq(0.0).to(torch::kFloat64).mean().item<double>(), 0.5, 5.0 * 0.5 / std::sqrt(1500.0));
  network.set_training(false);
  EXPECT_TRUE(network.forward(x).eq(1.0).all().item<bool>());
  network.set_training(true);
  EXPECT_TRUE(steps_agree(network.forward(x))) << "still locked";
}

}  // namespace
}  // namespace lastbit
