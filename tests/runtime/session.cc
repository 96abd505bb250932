#include "lastbit/runtime/session.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/runtime/kernels/kernel_set.h"
#include "lastbit/zoo/zoo.h"
#include "reference.h"
#include "small_zoo.h"

namespace lastbit {
namespace {

using reference::add_random;
using reference::node;
using reference::single;
using testing::HasSubstr;

std::string refusal(const Graph& graph, const SessionOptions& options = {}) {
  try {
    const Session session(graph, options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

std::string run_refusal(const std::vector<std::size_t>& inputs,
                        const std::vector<std::size_t>& outputs) {
  Session session(make_network("mlp", {.input = {4}, .classes = 3}), {.batch = 2});
  std::vector<float> memory(100, 0.0F);
  std::vector<std::span<const float>> in;
  std::vector<std::span<float>> out;
  in.reserve(inputs.size());
  out.reserve(outputs.size());
  for (const std::size_t size : inputs) in.emplace_back(memory.data(), size);
  for (const std::size_t size : outputs) out.emplace_back(memory.data() + 50, size);
  try {
    session.run(in, out);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Session, NamesItsPortsAndTheirShapes) {
  const Session session(make_network("lenet5", {}), {.batch = 3});
  ASSERT_EQ(session.inputs().size(), 1U);
  EXPECT_EQ(session.inputs()[0].name, "input");
  EXPECT_EQ(session.inputs()[0].shape, (Shape{3, 1, 28, 28}));
  ASSERT_EQ(session.outputs().size(), 1U);
  EXPECT_EQ(session.outputs()[0].name, "logits");
  EXPECT_EQ(session.outputs()[0].shape, (Shape{3, 10}));
}

TEST(Session, CountsTheBytesOfFloatWeights) {
  // Widths that fill whole blocks of 32 outputs and groups of 4 inputs.
  Graph graph = reference::single(
      {1, 64}, {reference::node("Gemm", {"x", "w"}, {{"transB", std::int64_t{1}}})});
  Random random(1);
  reference::add_random(graph, "w", {32, 64}, random);
  const Session session(graph);
  EXPECT_EQ(session.weight_bytes(), (32U * 64 + 32) * sizeof(float)) << "weights and scales";
}

TEST(Session, RefusesAWrongNumberOfArrays) {
  EXPECT_EQ(run_refusal({8}, {6}), "no error");
  EXPECT_EQ(run_refusal({}, {6}), "[runtime] expected 1 inputs, got 0");
  EXPECT_EQ(run_refusal({8, 8}, {6}), "[runtime] expected 1 inputs, got 2");
  EXPECT_EQ(run_refusal({8}, {}), "[runtime] expected 1 outputs, got 0");
}

TEST(Session, RefusesArraysOfAWrongSize) {
  EXPECT_EQ(run_refusal({7}, {6}),
            "[runtime] input 'input' has 7 values, expected 8 for shape [2, 4]");
  EXPECT_EQ(run_refusal({8}, {60}),
            "[runtime] output 'logits' has 60 values, expected 6 for shape [2, 3]");
}

TEST(Session, RefusesOptionsOutOfRange) {
  const Graph graph = make_network("mlp", {});
  EXPECT_THAT(refusal(graph, {.batch = 0}), HasSubstr("the batch is 0, expected at least 1"));
  EXPECT_THAT(refusal(graph, {.batch = -3}), HasSubstr("the batch is -3"));
  EXPECT_THAT(refusal(graph, {.threads = 0}), HasSubstr("threads is 0, expected 1 to 256"));
  EXPECT_THAT(refusal(graph, {.threads = 257}), HasSubstr("threads is 257"));
  EXPECT_THAT(refusal(graph, {.kernels = "mmx"}),
              HasSubstr("the kernels are 'mmx', expected one of fastest, "));
}

TEST(Session, NamesNodeAndOperatorThatItCannotRun) {
  EXPECT_THAT(refusal(single({2, 3}, {node("Gelu", {"x"})})), HasSubstr("'Gelu y' (Gelu)"));
  Node foreign = node("Relu", {"x"});
  foreign.domain = "com.example";
  EXPECT_THAT(refusal(single({2, 3}, {foreign})), HasSubstr("'Relu y'"));
}

TEST(Session, RefusesWeightsThatAreComputed) {
  Random random(1);
  Graph graph = single({3, 3}, {node("Relu", {"x"}, {}, "w"), node("Gemm", {"x", "w"})});
  EXPECT_EQ(refusal(graph),
            "[runtime] node 'Gemm y' (Gemm): weight 'w' is computed, expected a constant");
}

TEST(Session, RefusesOtherElementTypes) {
  Graph graph = single({2, 3}, {node("Identity", {"x"})});
  graph.inputs[0].type = DType::kDouble;
  EXPECT_THAT(refusal(graph), HasSubstr("[runtime] input: 'x' is float64, expected float"));
  graph.inputs[0].type = DType::kInt64;
  EXPECT_THAT(refusal(graph), HasSubstr("[runtime] output: 'y' is int64, expected float"));
  Graph add = single({2}, {node("Add", {"c", "c"})});
  add.initializers.emplace("c", Tensor::int64s({2}, std::vector<std::int64_t>{1, 2}));
  EXPECT_THAT(refusal(add), HasSubstr("'c' is int64, expected float"));
}

TEST(Session, RefusesBatchNormalizationInTraining) {
  Random random(1);
  Graph graph = single(
      {2, 3},
      {node(
          "BatchNormalization", {"x", "s", "s", "s", "s"}, {{"training_mode", std::int64_t{1}}})});
  add_random(graph, "s", {3}, random);
  EXPECT_EQ(refusal(graph),
            "[shapes] node 'BatchNormalization y' (BatchNormalization): attribute 'training_mode' "
            "is not supported, only inference");
}

TEST(Session, RefusesUnknownSizesAndEmptyValues) {
  Graph graph = single({2, 3}, {node("Relu", {"x"})});
  graph.inputs[0].dims[1] = {.size = -1, .symbol = "time"};
  EXPECT_THAT(refusal(graph), HasSubstr("'x'"));
  EXPECT_THAT(refusal(single({2, 0}, {node("Relu", {"x"})})),
              HasSubstr("has shape [2, 0], expected one element at least"));
}

TEST(Session, RefusesAnEmptyConstantAsAnInput) {
  Graph graph = single({2, 3}, {node("Concat", {"x", "c"}, {{"axis", std::int64_t{0}}})});
  graph.initializers.emplace("c", Tensor::floats({0, 3}, {}));
  EXPECT_EQ(refusal(graph),
            "[runtime] node 'Concat y' (Concat): input 'c' has shape [0, 3], expected one element "
            "at least");
}

TEST(Session, RefusesValuesThatExceedTheLimitOfMemory) {
  const Graph graph = single({100, 10}, {node("Relu", {"x"})});
  EXPECT_EQ(refusal(graph, {.memory_limit = 3999}),
            "[runtime] value 'x' of shape [100, 10] takes more than the limit of memory, 3999 "
            "bytes");
  // A result of 4000 bytes, and the room that lies behind it.
  EXPECT_EQ(refusal(graph, {.memory_limit = 4000}),
            "[runtime] the buffer of all values takes more than the limit of memory, 4000 bytes");
  EXPECT_EQ(refusal(graph, {.memory_limit = 4096}), "no error");
}

TEST(Session, RefusesShapesThatNoMachineHoldsBeforeItTakesMemory) {
  const std::int64_t large = std::int64_t{1} << 45;
  EXPECT_THAT(refusal(single({2, large}, {node("Relu", {"x"})})),
              HasSubstr("value 'x' of shape [2, 35184372088832] takes more than the limit"));
  // Small values, but for what lies between them.
  const std::int64_t pad = (std::int64_t{1} << 30) - 1;
  const std::map<std::string, Attribute, std::less<>> attributes = {
      {"pads", std::vector<std::int64_t>{pad, pad, pad, pad}},
      {"strides", std::vector<std::int64_t>{pad, pad}}};
  Random random(1);
  Graph graph = single({1, 1, 3, 3}, {node("Conv", {"x", "w"}, attributes)});
  add_random(graph, "w", {1, 1, 1, 1}, random);
  EXPECT_THAT(refusal(graph), HasSubstr("value 'x' with its border of shape [1, 2147483"));
}

TEST(Session, PoolsWithWindowsFarLargerThanTheirInput) {
  const std::int64_t size = (std::int64_t{1} << 30) - 1;
  for (const char* op : {"MaxPool", "AveragePool"}) {
    Session session(single({1, 1, 1, 3},
                           {node(op,
                                 {"x"},
                                 {{"kernel_shape", std::vector<std::int64_t>{1, size}},
                                  {"pads", std::vector<std::int64_t>{0, size - 1, 0, size - 1}},
                                  {"strides", std::vector<std::int64_t>{1, size}}})}));
    EXPECT_EQ(
        reference::run(session, {{4, 2, 3}})[0],
        std::string(op) == "MaxPool" ? (std::vector<float>{4, 3}) : (std::vector<float>{4, 2.5}));
  }
}

TEST(Session, RefusesValuesThatDoNotExist) {
  EXPECT_THAT(refusal(single({2}, {node("Add", {"x", "nowhere"})})), HasSubstr("nowhere"));
  EXPECT_THAT(refusal(single({2}, {node("Relu", {"x"}, {}, "z")})), HasSubstr("'y'"));
}

TEST(Session, GivesTheSameBitsForAnyNumberOfThreads) {
  for (const Architecture& architecture : architectures()) {
    if (architecture.kind != NetworkKind::kClassifier) continue;
    SCOPED_TRACE(architecture.name);
    const Graph graph = make_network(architecture.name, reference::small_zoo(architecture.name));
    Session one(graph, {.batch = 9});
    Random random(1);
    const auto inputs = reference::random_inputs(one, random);
    const auto expected = reference::run(one, inputs);
    for (const int threads : {2, 3, 5}) {
      Session session(graph, {.batch = 9, .threads = threads});
      EXPECT_EQ(reference::run(session, inputs), expected) << threads << " threads";
    }
  }
}

TEST(Session, AgreesWithTheReferenceOnEverySetOfKernels) {
  Random random(8);
  const Graph graph = make_network("lenet5", {.center = "none"});
  for (const KernelSet* set : runnable_kernels()) {
    SCOPED_TRACE(set->name);
    reference::expect_agreement(graph, random, {.batch = 2, .kernels = set->name});
  }
}

TEST(Session, RepeatsItselfWhateverRanBefore) {
  Session session(make_network("lenet5", {}), {.batch = 2});
  Random random(2);
  const auto a = reference::random_inputs(session, random);
  const auto b = reference::random_inputs(session, random);
  const auto first = reference::run(session, a);
  EXPECT_NE(reference::run(session, b), first);
  EXPECT_EQ(reference::run(session, a), first);
}

// Integers are exact; sums of floats may be taken in another order for few rows.
TEST(Session, GivesASampleTheSameResultInAnyBatch) {
  for (const Activations activations : {Activations::kFloat, Activations::kInt8}) {
    const Graph graph = reference::quantized(make_network("lenet5", {}), "ternary");
    Session many(graph, {.batch = 5, .activations = activations});
    Session one(graph, {.activations = activations});
    Random random(3);
    const auto inputs = reference::random_inputs(many, random);
    const auto together = reference::run(many, inputs);
    for (std::size_t i = 0; i < 5; ++i) {
      const auto at = inputs[0].begin() + static_cast<std::ptrdiff_t>(i * 784);
      const auto alone = reference::run(one, {std::vector<float>(at, at + 784)});
      for (std::size_t c = 0; c < 10; ++c) {
        EXPECT_NEAR(
            alone[0][c], together[0][i * 10 + c], activations == Activations::kFloat ? 1e-5 : 0.0);
      }
    }
  }
}

TEST(Session, ForksOutliveTheirOriginAndShareItsWeights) {
  Random random(4);
  auto session = std::make_unique<Session>(make_network("lenet5", {}));
  const auto inputs = reference::random_inputs(*session, random);
  const auto expected = reference::run(*session, inputs);
  Session fork = session->fork();
  session.reset();
  EXPECT_EQ(reference::run(fork, inputs), expected);
  Session second = fork.fork();
  Session moved = std::move(fork);
  EXPECT_EQ(reference::run(moved, inputs), expected);
  EXPECT_EQ(reference::run(second, inputs), expected);
}

TEST(Session, ForksRunAtTheSameTime) {
  Random random(5);
  Session session(make_network("lenet5", {}), {.batch = 16, .threads = 2});
  const auto inputs = reference::random_inputs(session, random);
  const auto expected = reference::run(session, inputs);
  std::vector<Session> forks;
  forks.reserve(3);
  for (int i = 0; i < 3; ++i) forks.push_back(session.fork());
  std::vector<std::vector<std::vector<float>>> results(forks.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < forks.size(); ++i) {
      threads.emplace_back([&, i] {
        for (int round = 0; round < 3; ++round) results[i] = reference::run(forks[i], inputs);
      });
    }
  }
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

TEST(Session, MayWriteOverItsInput) {
  Random random(6);
  Session session(single({4, 4}, {node("Transpose", {"x"})}));
  std::vector<float> values = reference::random_floats(16, random);
  const auto expected = reference::run(session, {values});
  const std::span<const float> in = values;
  const std::span<float> out = values;
  session.run({&in, 1}, {&out, 1});
  EXPECT_EQ(values, expected[0]);
}

TEST(Session, DoesNotNeedTheGraphAnyMore) {
  Random random(7);
  auto graph = std::make_unique<Graph>(make_network("mlp", {}));
  Session session(*graph);
  const auto inputs = reference::random_inputs(session, random);
  const auto expected = reference::run(session, inputs);
  graph.reset();
  EXPECT_EQ(reference::run(session, inputs), expected);
}

}  // namespace
}  // namespace lastbit
