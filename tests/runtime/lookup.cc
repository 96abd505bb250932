#include "lastbit/runtime/kernels/lookup.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/runtime/aligned_bytes.h"
#include "lastbit/runtime/kernels/kernel_set.h"
#include "reference.h"

// Products by lookup: the kernels of every set that has them against plain loops, and whole
// convolutions and matrices against an evaluation in double precision.

namespace lastbit {
namespace {

using reference::add_random;
using reference::expect_agreement;
using reference::node;
using reference::quantized;
using reference::single;

using Ints = std::vector<std::int64_t>;

float* floats_of(const AlignedBytes& bytes) { return reinterpret_cast<float*>(bytes.data()); }

std::vector<const KernelSet*> sets_with_lookup() {
  std::vector<const KernelSet*> sets;
  for (const KernelSet* set : runnable_kernels()) {
    if (set->look_up != nullptr) sets.push_back(set);
  }
  return sets;
}

TEST(Tables, HoldEverySumOrItsNegativeOnce) {
  for (const std::size_t inputs : {kTernaryInputs, kBinaryInputs}) {
    const std::size_t levels = inputs == kTernaryInputs ? 3 : 2;
    const std::size_t sums = inputs == kTernaryInputs ? 14 : 16;
    std::vector<int> met;
    for (std::size_t i = 0; i < sums; ++i) {
      int code = 0;
      for (std::size_t j = 0; j < inputs; ++j) code = 3 * code + table_weight(inputs, i, j);
      met.push_back(code);
      if (code != 0) met.push_back(-code);
    }
    std::sort(met.begin(), met.end());
    EXPECT_EQ(std::adjacent_find(met.begin(), met.end()), met.end());
    EXPECT_EQ(met.size(), static_cast<std::size_t>(std::pow(levels, inputs)));
  }
}

TEST(MakeTables, SumsInOrderWithZerosForWhatIsMissing) {
  Random random(1);
  for (const KernelSet* set : sets_with_lookup()) {
    for (const std::size_t inputs : {kTernaryInputs, kBinaryInputs}) {
      for (std::size_t count = 1; count <= 17; ++count) {
        const std::size_t pixels = 1 + random.below(4);
        const std::size_t stride = count + random.below(3);
        const std::size_t tables = tables_of(count, inputs);
        // The values end where they are last read.
        const std::vector<float> x =
            reference::random_floats((pixels - 1) * stride + count, random);
        const AlignedBytes out(pixels * tables * kTableSums * sizeof(float));
        set->make_tables({.x = x.data(),
                          .pixels = pixels,
                          .stride = stride,
                          .count = count,
                          .inputs = inputs,
                          .tables = floats_of(out)});
        for (std::size_t i = 0; i < pixels * tables * kTableSums; ++i) {
          const std::size_t first = i / kTableSums % tables * inputs;
          float expected = 0.0F;
          for (std::size_t j = 0; j < inputs && first + j < count; ++j) {
            expected = std::fma(static_cast<float>(table_weight(inputs, i % kTableSums, j)),
                                x[i / kTableSums / tables * stride + first + j],
                                expected);
          }
          ASSERT_EQ(floats_of(out)[i], expected) << set->name << ", " << count << " inputs, " << i;
        }
      }
    }
  }
}

TEST(LookUp, AddsTablesInOrder) {
  Random random(2);
  for (const KernelSet* set : sets_with_lookup()) {
    for (std::size_t tables = 1; tables <= 40; ++tables) {
      const std::size_t width = 1 + random.below(kLookupWords);
      const std::size_t count = 1 + random.below(kLookupRows);
      const AlignedBytes words(lookup_bytes(tables, width));
      for (std::size_t i = 0; i < words.size(); ++i) {
        words.data()[i] = static_cast<std::byte>(random.below(256));
      }
      constexpr std::size_t kTables = 50;
      const AlignedBytes pool(kTables * kTableSums * sizeof(float));
      for (std::size_t i = 0; i < kTables * kTableSums; ++i) {
        floats_of(pool)[i] = static_cast<float>(random.uniform(-1, 1));
      }
      std::vector<const float*> rows;
      std::vector<std::int32_t> offsets;
      for (std::size_t r = 0; r < count; ++r) {
        rows.push_back(floats_of(pool) + random.below(10) * kTableSums);
      }
      for (std::size_t k = 0; k < tables; ++k) {
        offsets.push_back(static_cast<std::int32_t>(random.below(40) * kTableSums));
      }
      const std::size_t outputs = width * kWordOutputs;
      std::vector<float> out(count * outputs + 1, 77.0F);
      set->look_up({rows.data(), count, offsets.data(), tables},
                   {reinterpret_cast<const std::uint8_t*>(words.data()), width},
                   out.data());
      EXPECT_EQ(out.back(), 77.0F);
      const auto* lanes = reinterpret_cast<const std::uint32_t*>(words.data());
      for (std::size_t i = 0; i < count * outputs; ++i) {
        float expected = 0.0F;
        for (std::size_t k = 0; k < tables; ++k) {
          const std::uint32_t code =
              lanes[k / kLaneCodes * outputs + i % outputs] >> (k % kLaneCodes * kCodeBits);
          const float found = rows[i / outputs][offsets[k] + static_cast<int>(code % kTableSums)];
          expected += (code & kNegated) != 0 ? -found : found;
        }
        ASSERT_EQ(out[i], expected) << set->name << ", " << tables << " tables, result " << i;
      }
    }
  }
}

const char* const kSets[] = {
    "ternary/tensor", "ternary/channel", "binary/tensor", "binary/channel"};

std::int64_t below(Random& random, std::int64_t count) {
  return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(count)));
}

// Of channels and outputs enough that tables pay.
Graph random_conv(Random& random) {
  const std::int64_t groups = 1 + below(random, 2);
  const std::int64_t in = 6 + below(random, 20);
  const std::int64_t out = 1 + below(random, 80);
  const Ints kernel = {1 + below(random, 4), 1 + below(random, 4)};
  const Ints dilations = {1 + below(random, 3), 1 + below(random, 3)};
  Shape input = {1 + below(random, 5), in * groups};
  for (std::size_t i = 0; i < 2; ++i) {
    input.push_back((kernel[i] - 1) * dilations[i] + 1 + below(random, 14));
  }
  Graph graph = single(input, {});
  add_random(graph, "w", {out * groups, in, kernel[0], kernel[1]}, random);
  add_random(graph, "b", {out * groups}, random);
  graph.nodes = {
      node("Conv",
           {"x", "w", "b"},
           {{"strides", Ints{1 + below(random, 3), 1 + below(random, 3)}},
            {"dilations", dilations},
            {"pads", Ints{below(random, 4), below(random, 4), below(random, 4), below(random, 4)}},
            {"group", groups}},
           "h"),
      node("Relu", {"h"})};
  return graph;
}

TEST(LookupConv, AgreesOnRandomPlanes) {
  Random random(3);
  for (int round = 0; round < 120; ++round) {
    const Graph graph = quantized(random_conv(random), kSets[round % 4]);
    SCOPED_TRACE(testing::Message() << "round " << round << ", " << to_string(graph.inputs[0].dims)
                                    << ", " << kSets[round % 4]);
    expect_agreement(graph, random);
  }
}

TEST(LookupConv, AddsWhatIsFused) {
  Random random(4);
  Graph graph = single({2, 70, 9, 10}, {});
  add_random(graph, "w", {70, 70, 3, 3}, random);
  graph.nodes = {node("Conv", {"x", "w"}, {{"pads", Ints{1, 1, 1, 1}}}, "h"),
                 node("Add", {"h", "x"}, {}, "s"),
                 node("Sigmoid", {"s"})};
  expect_agreement(quantized(graph, "ternary/channel"), random);
}

// Wide enough for strips, and high enough that workers begin in the midst of one.
TEST(LookupConv, GivesTheSameWithAnyNumberOfThreads) {
  Random random(5);
  for (const Shape& input : {Shape{1, 96, 6, 130}, {2, 32, 23, 19}, {1, 256, 3, 3}}) {
    Graph graph = single(input, {});
    add_random(graph, "w", {192, input[1], 3, 3}, random);
    graph.nodes = {node("Conv", {"x", "w"}, {{"pads", Ints{1, 1, 1, 1}}})};
    graph = quantized(graph, "ternary/tensor");
    Session one(graph);
    const auto inputs = reference::random_inputs(one, random);
    const auto expected = reference::run(one, inputs);
    for (const int threads : {2, 3, 5}) {
      Session session(graph, {.threads = threads});
      EXPECT_EQ(reference::run(session, inputs), expected) << threads << " threads";
    }
  }
}

TEST(LookupConv, CutsPlanesWhoseTablesAreLarge) {
  Random random(6);
  Graph graph = single({1, 192, 4, 75}, {});
  add_random(graph, "w", {20, 192, 3, 3}, random);
  graph.nodes = {node("Conv", {"x", "w"}, {{"pads", Ints{1, 1, 1, 1}}})};
  expect_agreement(quantized(graph, "ternary/tensor"), random);
}

// Rows and columns that fill tiles and blocks, and that do not.
Graph random_matrix(Random& random, const Shape& input, std::int64_t outputs) {
  Graph graph = single(input, {});
  const bool by_rows = random.below(2) == 0;
  const std::int64_t depth = input.back();
  add_random(graph, "w", by_rows ? Shape{outputs, depth} : Shape{depth, outputs}, random);
  add_random(graph, "b", {outputs}, random);
  graph.nodes = {node("Gemm",
                      {"x", "w", "b"},
                      {{"alpha", 0.5F}, {"transB", std::int64_t{by_rows ? 1 : 0}}},
                      "h"),
                 node("Relu", {"h"})};
  return graph;
}

TEST(LookupProduct, AgreesOnRandomMatrices) {
  Random random(7);
  for (int round = 0; round < 80; ++round) {
    const Shape input = {1 + below(random, 9) * below(random, 2), 6 + below(random, 400)};
    const Graph graph = quantized(random_matrix(random, input, 33 + below(random, 300)),
                                  kSets[round % 2 == 0 ? 0 : 2]);
    SCOPED_TRACE(testing::Message() << "round " << round << ", " << to_string(input));
    expect_agreement(graph, random);
  }
}

// Some rows by the kernel of vectors and some by tiles; the first matrix in several parts.
TEST(LookupProduct, GivesEachRowTheSameWithAnyNumberOfRowsAndThreads) {
  for (const KernelSet* set : sets_with_lookup()) {
    Random random(8);
    Graph graph = quantized(random_matrix(random, {70, 360}, 300), "ternary/tensor");
    Session many(graph, {.kernels = set->name});
    const auto inputs = reference::random_inputs(many, random);
    const auto expected = reference::run(many, inputs);
    for (const int threads : {2, 3}) {
      Session session(graph, {.threads = threads, .kernels = set->name});
      EXPECT_EQ(reference::run(session, inputs), expected) << threads << " threads";
    }
    graph.inputs = {reference::value("x", {1, 360})};
    Session one(graph, {.kernels = set->name});
    for (std::size_t row = 0; row < 70; ++row) {
      const auto x = inputs[0].begin() + static_cast<std::ptrdiff_t>(row * 360);
      const auto y = expected[0].begin() + static_cast<std::ptrdiff_t>(row * 300);
      ASSERT_EQ(reference::run(one, {{x, x + 360}})[0], std::vector<float>(y, y + 300)) << row;
    }
  }
}

}  // namespace
}  // namespace lastbit
