#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/zoo/zoo.h"
#include "random_windows.h"
#include "reference.h"

// The mode of 8-bit activations: what products give must be what the reference gives for inputs
// that were made integers, as documented, and floats again.

namespace lastbit {
namespace {

using reference::add_random;
using reference::node;
using reference::random_floats;
using reference::single;

const SessionOptions kInt8 = {.activations = Activations::kInt8};

// The floats that the integers of `values` stand for.
std::vector<float> rounded(std::span<const float> values) {
  float least = 0.0F;
  float most = 0.0F;
  for (const float v : values) {
    least = std::min(least, v);
    most = std::max(most, std::abs(v));
  }
  const float step = most / (least < 0.0F ? 127.0F : 255.0F);
  std::vector<float> result;
  for (const float v : values) {
    result.push_back(step == 0.0F ? 0.0F : step * std::nearbyint(v * (1.0F / step)));
  }
  return result;
}

// Runs a graph of one product. Each row of a matrix, or sample of a plane, has a scale of its own.
void expect_rounded_product(const Graph& graph, const std::vector<float>& input, std::size_t rows) {
  Session session(graph, kInt8);
  const auto got = reference::run(session, {input});
  std::vector<float> seen;
  const std::size_t length = input.size() / rows;
  for (std::size_t r = 0; r < rows; ++r) {
    const std::vector<float> part = rounded(std::span(input).subspan(r * length, length));
    seen.insert(seen.end(), part.begin(), part.end());
  }
  const reference::Array expected = reference::evaluate(graph, 1, {seen}).at("y");
  for (std::size_t i = 0; i < expected.data.size(); ++i) {
    ASSERT_NEAR(got[0][i], expected.data[i].value, 2 * expected.data[i].error + 1e-6) << i;
  }
}

constexpr const char* kExactSets[] = {
    "ternary/tensor", "binary/channel", "shift:2/tensor", "pow2:3/channel", "uniform:3/tensor"};

TEST(Int8, ConvolutionsMultiplyRoundedInputsExactly) {
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    const reference::WindowCase one = reference::random_conv(random, 1 + round % 2);
    const char* set = kExactSets[round % std::size(kExactSets)];
    SCOPED_TRACE(testing::Message() << "round " << round << ", " << set << ": " << one.text);
    const Graph graph = reference::quantized(one.graph, set);
    std::vector<float> input;
    const Session probe(graph);
    input = random_floats(static_cast<std::size_t>(element_count(probe.inputs()[0].shape)), random);
    // One half has inputs of one sign alone, as after a ReLU.
    if (round % 4 < 2) {
      for (float& x : input) x = std::abs(x);
    }
    // Filters of one channel each are computed in floats.
    const auto group = std::get<std::int64_t>(one.graph.nodes[0].attributes.at("group"));
    const Shape& weights = shape_of(*graph.find_initializer("w"));
    if (group > 1 && weights[1] == 1 && weights[0] == group) continue;
    expect_rounded_product(graph, input, static_cast<std::size_t>(probe.inputs()[0].shape[0]));
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(Int8, MatricesHaveAScaleARow) {
  Random random(2);
  for (const std::int64_t rows : {1, 2, 3, 8, 11}) {
    for (const std::int64_t depth : {1, 4, 7, 130}) {
      for (const char* set : kExactSets) {
        SCOPED_TRACE(testing::Message() << rows << " x " << depth << ", " << set);
        Graph graph =
            single({rows, depth}, {node("Gemm", {"x", "w", "b"}, {{"transB", std::int64_t{1}}})});
        add_random(graph, "w", {37, depth}, random);
        add_random(graph, "b", {37}, random);
        auto input = random_floats(static_cast<std::size_t>(rows * depth), random);
        for (std::int64_t k = 0; k < depth; ++k) {
          auto& x = input[static_cast<std::size_t>(k)];
          x = 100.0F * std::abs(x);
        }
        expect_rounded_product(
            reference::quantized(graph, set), input, static_cast<std::size_t>(rows));
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

// Learned levels become the nearest multiples of 1/64 of the largest.
TEST(Int8, LearnedLevelsAreNearTheirValues) {
  Random random(3);
  Graph graph = single({1, 12, 9, 9}, {node("Conv", {"x", "w"})});
  add_random(graph, "w", {20, 12, 3, 3}, random);
  graph = reference::quantized(graph, "kmeans:4");
  Session exact(graph);
  Session session(graph, kInt8);
  const auto input = random_floats(12 * 81, random);
  const auto expected = reference::run(exact, {input});
  const auto got = reference::run(session, {input});
  double error = 0.0;
  double size = 0.0;
  for (std::size_t i = 0; i < got[0].size(); ++i) {
    error += std::pow(got[0][i] - expected[0][i], 2);
    size += std::pow(expected[0][i], 2);
  }
  EXPECT_LT(error, 1e-4 * size);
  EXPECT_GT(error, 0.0);
}

TEST(Int8, LeavesFloatWeightsToFloatProducts) {
  Random random(4);
  Graph graph = single({2, 5, 6, 6}, {node("Conv", {"x", "w"})});
  add_random(graph, "w", {7, 5, 2, 2}, random);
  Session floats(graph);
  Session session(graph, kInt8);
  const auto input = random_floats(2 * 5 * 36, random);
  EXPECT_EQ(reference::run(floats, {input}), reference::run(session, {input}));
}

TEST(Int8, TakesZerosAndTinyInputsForZero) {
  Random random(5);
  Graph graph = single({1, 8}, {node("Gemm", {"x", "w", "b"}, {{"transB", std::int64_t{1}}})});
  add_random(graph, "w", {3, 8}, random);
  add_random(graph, "b", {3}, random);
  graph = reference::quantized(graph, "ternary/tensor");
  Session session(graph, kInt8);
  const Tensor bias = decode(*graph.find_initializer("b"));
  const std::vector<float> expected(bias.as_floats().begin(), bias.as_floats().end());
  EXPECT_EQ(reference::run(session, {std::vector<float>(8, 0.0F)})[0], expected);
  EXPECT_EQ(reference::run(session, {std::vector<float>(8, -1e-40F)})[0], expected);
}

TEST(Int8, DoesNotDependOnThreads) {
  Random random(6);
  const Graph graph = reference::quantized(make_network("lenet5", {}), "ternary/tensor");
  Session one(graph, {.batch = 7, .activations = Activations::kInt8});
  const auto inputs = reference::random_inputs(one, random);
  const auto expected = reference::run(one, inputs);
  for (const int threads : {2, 3, 8}) {
    Session session(graph, {.batch = 7, .threads = threads, .activations = Activations::kInt8});
    EXPECT_EQ(reference::run(session, inputs), expected) << threads;
  }
}

TEST(Int8, RefusesInputsThatAreNotFinite) {
  Session session(make_network("lenet300", {}), kInt8);
  std::vector<float> input(784, 0.5F);
  std::vector<float> output(10);
  input[17] = std::nanf("");
  const std::span<const float> in(input);
  const std::span<float> out(output);
  try {
    session.run(std::span(&in, 1), std::span(&out, 1));
    FAIL() << "no error";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "[runtime] input 'input' holds nan at 17, expected finite values for int8 "
                 "activations");
  }
}

}  // namespace
}  // namespace lastbit
