#include "lastbit/graph/products.h"

#include <gtest/gtest.h>

#include "tests/runtime/reference.h"

namespace lastbit {
namespace {

using reference::node;
using reference::single;

using Ints = std::vector<std::int64_t>;

double count(Graph graph, const Shape& weight) {
  Random random(1);
  if (!weight.empty()) reference::add_random(graph, "w", weight, random);
  return product_count(graph, infer_shapes(graph, 1));
}

TEST(Products, OfAConvolutionAreKernelsTimesPlaces) {
  EXPECT_EQ(count(single({2, 3, 10, 7}, {node("Conv", {"x", "w"})}), {5, 3, 4, 2}),
            2 * 5 * 7 * 6 * (3 * 4 * 2));
  // A channel of the result sees those of its group alone; padding and stride change the places.
  EXPECT_EQ(count(single({1, 6, 8, 8},
                         {node("Conv",
                               {"x", "w"},
                               {{"group", std::int64_t{3}},
                                {"strides", Ints{2, 2}},
                                {"pads", Ints{1, 1, 1, 1}}})}),
                  {9, 2, 3, 3}),
            9 * 4 * 4 * (2 * 3 * 3));
  EXPECT_EQ(count(single({1, 2, 9}, {node("Conv", {"x", "w"})}), {4, 2, 3}), 4 * 7 * (2 * 3));
}

TEST(Products, OfMatricesAreThoseOfTheirSizes) {
  EXPECT_EQ(count(single({4, 3}, {node("Gemm", {"x", "w"})}), {3, 5}), 4 * 3 * 5);
  EXPECT_EQ(
      count(single({4, 3}, {node("Gemm", {"x", "w"}, {{"transB", std::int64_t{1}}})}), {5, 3}),
      4 * 3 * 5);
  EXPECT_EQ(
      count(single({3, 4}, {node("Gemm", {"x", "w"}, {{"transA", std::int64_t{1}}})}), {3, 5}),
      4 * 3 * 5);
  EXPECT_EQ(count(single({2, 4, 3}, {node("MatMul", {"x", "w"})}), {3, 5}), 2 * 4 * 3 * 5);
  EXPECT_EQ(count(single({3}, {node("MatMul", {"x", "w"})}), {3, 5}), 3 * 5);
  EXPECT_EQ(count(single({4, 3}, {node("MatMul", {"x", "w"})}), {3}), 4 * 3);
}

TEST(Products, OfOtherOperatorsAreNone) {
  EXPECT_EQ(count(single({1, 2, 8, 8}, {node("Mul", {"x", "x"})}), {}), 0);
  EXPECT_EQ(count(single({1, 2, 8, 8}, {node("GlobalAveragePool", {"x"})}), {}), 0);
}

TEST(Products, OfAGraphAreTheSumOverItsNodes) {
  const Graph graph = single({4, 3},
                             {node("Gemm", {"x", "w"}, {}, "a"),
                              node("Relu", {"a"}, {}, "b"),
                              node("MatMul", {"b", "w"})});
  EXPECT_EQ(count(graph, {3, 3}), 2 * 4 * 3 * 3);
}

}  // namespace
}  // namespace lastbit
