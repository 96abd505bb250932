#include "lastbit/runtime/kernels/byte_lookup.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/runtime/aligned_bytes.h"
#include "lastbit/runtime/kernels/kernel_set.h"
#include "reference.h"

// Products of bytes and binary weights by lookup: the kernels of every set that has them against
// plain loops, and whole convolutions against the scalar kernels, all bit for bit.

namespace lastbit {
namespace {

using reference::add_random;
using reference::node;
using reference::quantized;
using reference::single;

using Ints = std::vector<std::int64_t>;

std::vector<const KernelSet*> sets_with_lookup() {
  std::vector<const KernelSet*> sets;
  for (const KernelSet* set : runnable_kernels()) {
    if (set->look_up_bytes != nullptr) sets.push_back(set);
  }
  return sets;
}

TEST(ByteTables, HoldTheSumsOfAllSubsets) {
  Random random(1);
  for (const KernelSet* set : sets_with_lookup()) {
    for (const std::size_t count : {1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 59, 60, 63, 64, 65, 130}) {
      const std::size_t pixels = 1 + random.below(4);
      const std::size_t stride = count + random.below(3);
      const std::size_t tables = byte_tables(count);
      // The values end where they are last read.
      std::vector<std::uint8_t> x((pixels - 1) * stride + count);
      for (std::uint8_t& v : x) v = static_cast<std::uint8_t>(255 - random.below(3) * 100);
      const AlignedBytes out(pixels * tables * kSubsetSums * sizeof(std::uint16_t));
      auto* const sums = reinterpret_cast<std::uint16_t*>(out.data());
      std::vector<std::int32_t> pixel_sums(pixels);
      set->make_byte_tables({.x = x.data(),
                             .pixels = pixels,
                             .stride = stride,
                             .count = count,
                             .tables = sums,
                             .sums = pixel_sums.data()});
      for (std::size_t p = 0; p < pixels; ++p) {
        const std::uint8_t* const of_pixel = x.data() + p * stride;
        std::int32_t all = 0;
        for (std::size_t c = 0; c < count; ++c) all += of_pixel[c];
        EXPECT_EQ(pixel_sums[p], all) << set->name << ", " << count << " inputs";
        for (std::size_t i = 0; i < tables * kSubsetSums; ++i) {
          int expected = 0;
          for (std::size_t j = 0; j < kSubsetInputs; ++j) {
            const std::size_t c = i / kSubsetSums * kSubsetInputs + j;
            if (c < count && (i % kSubsetSums >> j & 1U) != 0) expected += of_pixel[c];
          }
          ASSERT_EQ(sums[p * tables * kSubsetSums + i], expected)
              << set->name << ", " << count << " inputs, " << i;
        }
      }
    }
  }
}

// Place of an output is a permutation of the lanes.
TEST(ByteLane, GivesEachOutputALaneOfItsOwn) {
  std::vector<std::size_t> lanes;
  for (std::size_t o = 0; o < kByteOutputs; ++o) lanes.push_back(byte_lane(o));
  std::sort(lanes.begin(), lanes.end());
  for (std::size_t o = 0; o < kByteOutputs; ++o) EXPECT_EQ(lanes[o], o);
}

// Sums as large as six inputs of 255 have, in as many turns as a call may take.
TEST(LookUpBytes, AddsTwiceWhatItFinds) {
  constexpr std::size_t kTables = 60;
  constexpr std::uint64_t kLargest = kSubsetInputs * 255;
  Random random(2);
  for (const KernelSet* set : sets_with_lookup()) {
    for (int round = 0; round < 60; ++round) {
      const std::size_t turns = 1 + static_cast<std::size_t>(round) % kMostTurns;
      const std::size_t count = 1 + random.below(kByteRows);
      const std::size_t stride = kByteOutputs * (1 + random.below(2));
      const bool extreme = round % 4 == 0;
      const bool starting = random.below(2) == 0;
      const AlignedBytes words(turns * kTurnBytes);
      for (std::size_t i = 0; i < words.size(); ++i) {
        words.data()[i] = static_cast<std::byte>(random.below(256));
      }
      const AlignedBytes pool(kTables * kSubsetSums * sizeof(std::uint16_t));
      auto* const sums = reinterpret_cast<std::uint16_t*>(pool.data());
      for (std::size_t i = 0; i < kTables * kSubsetSums; ++i) {
        sums[i] = static_cast<std::uint16_t>(extreme ? kLargest : random.below(kLargest + 1));
      }
      std::vector<const std::uint16_t*> rows;
      std::vector<std::int32_t> starts;
      for (std::size_t r = 0; r < count; ++r) {
        rows.push_back(sums + random.below(20) * kSubsetSums);
        starts.push_back(static_cast<std::int32_t>(random.below(1000)) - 500);
      }
      std::vector<std::int32_t> offsets;
      for (std::size_t k = 0; k < turns * kTurnTables; ++k) {
        offsets.push_back(static_cast<std::int32_t>(random.below(40) * kSubsetSums));
      }
      std::vector<std::int32_t> out(count * stride + 1);
      for (std::int32_t& v : out) v = static_cast<std::int32_t>(random.below(1000)) - 500;
      const std::vector<std::int32_t> before = out;
      set->look_up_bytes({rows.data(), count, offsets.data(), turns * kTurnTables},
                         reinterpret_cast<const std::uint8_t*>(words.data()),
                         starting ? starts.data() : nullptr,
                         stride,
                         out.data());
      const auto* const lanes = reinterpret_cast<const std::uint16_t*>(words.data());
      for (std::size_t i = 0; i < out.size(); ++i) {
        const std::size_t r = i / stride;
        const std::size_t o = i % stride;
        std::int32_t expected = before[i];
        if (r < count && o < kByteOutputs) {
          if (starting) expected = starts[r];
          for (std::size_t k = 0; k < turns * kTurnTables; ++k) {
            std::uint64_t bits = 0;  // the subsets of a turn
            for (std::size_t row = kTurnWords; row-- > 0;) {
              bits = bits << 16U |
                     lanes[(k / kTurnTables * kTurnWords + row) * kByteOutputs + byte_lane(o)];
            }
            const std::size_t subset =
                bits >> (k % kTurnTables * kSubsetInputs) & (kSubsetSums - 1);
            expected += 2 * rows[r][static_cast<std::size_t>(offsets[k]) + subset];
          }
        }
        ASSERT_EQ(out[i], expected) << set->name << ", round " << round << ", result " << i;
      }
    }
  }
}

// Runs a graph with and without lookup. Returns whether the weights were laid out for it.
bool expect_scalar_results(const Graph& graph, const std::vector<float>& input) {
  SessionOptions options{.activations = Activations::kInt8, .kernels = "scalar"};
  Session scalar(graph, options);
  const auto expected = reference::run(scalar, {input});
  options.kernels = sets_with_lookup().front()->name;
  Session session(graph, options);
  EXPECT_EQ(reference::run(session, {input}), expected);
  return session.weight_bytes() != scalar.weight_bytes();
}

class ByteLookupConv : public testing::Test {
 protected:
  void SetUp() override {
    if (sets_with_lookup().empty()) GTEST_SKIP() << "no set of this processor looks bytes up";
  }
};

std::int64_t below(Random& random, std::int64_t count) {
  return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(count)));
}

// Without a bias, so that a result is a product rounded once in every set.
Graph random_conv(Random& random) {
  const std::int64_t groups = 1 + below(random, 2);
  const std::int64_t in = 6 + below(random, 30);
  const std::int64_t out = 90 + below(random, 180);
  const Ints kernel = {1 + below(random, 4), 1 + below(random, 4)};
  const Ints dilations = {1 + below(random, 3), 1 + below(random, 3)};
  Shape input = {1 + below(random, 2), in * groups};
  for (std::size_t i = 0; i < 2; ++i) {
    input.push_back((kernel[i] - 1) * dilations[i] + 1 + below(random, 8));
  }
  Graph graph = single(input, {});
  add_random(graph, "w", {out * groups, in, kernel[0], kernel[1]}, random);
  graph.nodes = {
      node("Conv",
           {"x", "w"},
           {{"strides", Ints{1 + below(random, 2), 1 + below(random, 2)}},
            {"dilations", dilations},
            {"pads", Ints{below(random, 4), below(random, 4), below(random, 4), below(random, 4)}},
            {"group", groups}})};
  return graph;
}

TEST_F(ByteLookupConv, GivesTheScalarResultsOnRandomPlanes) {
  Random random(3);
  int looked_up = 0;
  for (int round = 0; round < 120; ++round) {
    const Graph graph =
        quantized(random_conv(random), round % 2 == 0 ? "binary/tensor" : "binary/channel");
    SCOPED_TRACE(testing::Message() << "round " << round << ", " << to_string(graph.inputs[0].dims)
                                    << ", " << to_string(shape_of(*graph.find_initializer("w"))));
    const Session probe(graph);
    auto input = reference::random_floats(
        static_cast<std::size_t>(element_count(probe.inputs()[0].shape)), random);
    // One half has inputs of one sign alone, as after a ReLU.
    if (round % 4 < 2) {
      for (float& x : input) x = std::abs(x);
    }
    looked_up += expect_scalar_results(graph, input) ? 1 : 0;
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(looked_up, 30);
}

// The largest sums of integers that there are: 255 everywhere, or 1 and 255 as the weights are, or
// as they are not.
TEST_F(ByteLookupConv, GivesTheScalarResultsOnExtremeInputs) {
  constexpr std::int64_t kDepth = 300;
  for (const float weight : {1.0F, -1.0F}) {
    Graph graph = single({1, kDepth, 3, 3}, {});
    std::vector<float> weights(static_cast<std::size_t>(128 * kDepth * 9), weight);
    // Two signs, or there would be one level alone.
    std::fill_n(weights.begin(), kDepth * 9, -weight);
    graph.initializers["w"] = Tensor::floats({128, kDepth, 3, 3}, weights);
    graph.nodes = {node("Conv", {"x", "w"}, {{"pads", Ints{1, 1, 1, 1}}})};
    graph = quantized(graph, "binary/tensor");
    for (const float low : {1.0F, -1.0F}) {
      std::vector<float> input(kDepth * 9, 1.0F);
      for (std::size_t i = 0; i < input.size() / 2; ++i) input[i] = low;
      EXPECT_TRUE(expect_scalar_results(graph, input));
    }
    EXPECT_TRUE(expect_scalar_results(graph, std::vector<float>(kDepth * 9, -1.0F)));
  }
}

TEST_F(ByteLookupConv, AddsWhatIsFused) {
  Random random(4);
  Graph graph = single({2, 250, 9, 10}, {});
  add_random(graph, "w", {250, 250, 3, 3}, random);
  add_random(graph, "b", {250}, random);
  graph.nodes = {node("Conv", {"x", "w", "b"}, {{"pads", Ints{1, 1, 1, 1}}}, "h"),
                 node("Add", {"h", "x"}, {}, "s"),
                 node("Sigmoid", {"s"})};
  graph = quantized(graph, "binary/channel");
  // The same code finishes the sums of both sets.
  Session products(graph, {.activations = Activations::kInt8, .kernels = "avx512vnni"});
  Session session(graph,
                  {.activations = Activations::kInt8, .kernels = sets_with_lookup().front()->name});
  const auto inputs = reference::random_inputs(session, random);
  EXPECT_EQ(reference::run(session, inputs), reference::run(products, inputs));
  EXPECT_NE(session.weight_bytes(), products.weight_bytes());
}

// Wide enough for strips, high enough that workers begin in the midst of one, and with few rows and
// several blocks, which are then divided.
TEST_F(ByteLookupConv, GivesTheSameWithAnyNumberOfThreads) {
  Random random(5);
  for (const Shape& input : {Shape{1, 96, 6, 130}, {2, 32, 23, 19}, {1, 192, 3, 3}}) {
    Graph graph = single(input, {});
    add_random(graph, "w", {384, input[1], 3, 3}, random);
    graph.nodes = {node("Conv", {"x", "w"}, {{"pads", Ints{1, 1, 1, 1}}})};
    graph = quantized(graph, "binary/tensor");
    SessionOptions options{.activations = Activations::kInt8,
                           .kernels = sets_with_lookup().front()->name};
    Session one(graph, options);
    const auto inputs = reference::random_inputs(one, random);
    const auto expected = reference::run(one, inputs);
    for (const int threads : {2, 3, 5}) {
      options.threads = threads;
      Session session(graph, options);
      EXPECT_EQ(reference::run(session, inputs), expected) << threads << " threads";
    }
  }
}

// The weights take a bit each, but for the last tables, turns and outputs of a block.
TEST_F(ByteLookupConv, KeepsABitAWeight) {
  Random random(6);
  Graph graph = single({1, 256, 4, 4}, {});
  add_random(graph, "w", {256, 256, 3, 3}, random);
  graph.nodes = {node("Conv", {"x", "w"}, {{"pads", Ints{1, 1, 1, 1}}})};
  const Session session(
      quantized(graph, "binary/tensor"),
      {.activations = Activations::kInt8, .kernels = sets_with_lookup().front()->name});
  constexpr double kBytes = 256.0 * 256 * 9 / 8;
  EXPECT_LT(static_cast<double>(session.weight_bytes()), 1.07 * kBytes);
}

}  // namespace
}  // namespace lastbit
