#include <string>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "random_windows.h"
#include "reference.h"

// Convolution and pooling against a plain evaluation in double precision.

namespace lastbit {
namespace {

using reference::add_random;
using reference::expect_agreement;
using reference::node;
using reference::single;

using Ints = std::vector<std::int64_t>;

void expect_random_convs(std::size_t rank, std::uint64_t seed, int rounds) {
  Random random(seed);
  for (int round = 0; round < rounds; ++round) {
    const reference::WindowCase one = reference::random_conv(random, rank);
    SCOPED_TRACE(testing::Message() << "round " << round << ": " << one.text);
    expect_agreement(one.graph, random);
  }
}

TEST(Conv, AgreesOnRandomPlanes) { expect_random_convs(2, 1, 150); }
TEST(Conv, AgreesOnRandomLines) { expect_random_convs(1, 2, 100); }

TEST(Conv, TakesEachChannelByItself) {
  Random random(3);
  Graph graph = single({2, 17, 9, 8}, {});
  add_random(graph, "w", {34, 1, 3, 3}, random);
  graph.nodes = {
      node("Conv", {"x", "w"}, {{"group", std::int64_t{17}}, {"pads", Ints{1, 1, 1, 1}}})};
  expect_agreement(graph, random);
}

TEST(Conv, PadsByItselfWhereAsked) {
  Random random(4);
  for (const std::string mode : {"SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"}) {
    for (const std::int64_t stride : {1, 2, 3}) {
      SCOPED_TRACE(mode);
      Graph graph = single({2, 3, 10, 7}, {});
      add_random(graph, "w", {5, 3, 4, 3}, random);
      graph.nodes = {
          node("Conv", {"x", "w"}, {{"auto_pad", mode}, {"strides", Ints{stride, stride}}})};
      expect_agreement(graph, random);
    }
  }
}

// The columns of 64 channels under 3 x 3 elements fill many tiles, whose borders cut rows and
// samples.
TEST(Conv, CutsLargePlanesIntoTiles) {
  Random random(5);
  Graph graph = single({3, 64, 13, 11}, {});
  add_random(graph, "w", {7, 64, 3, 3}, random);
  add_random(graph, "b", {7}, random);
  graph.nodes = {node("Conv", {"x", "w", "b"}, {{"pads", Ints{1, 1, 1, 1}}}, "h"),
                 node("Relu", {"h"})};
  expect_agreement(graph, random);
}

void expect_random_pools(const std::string& op, std::size_t rank, std::uint64_t seed) {
  Random random(seed);
  for (int round = 0; round < 150; ++round) {
    const reference::WindowCase one = reference::random_pool(random, op, rank);
    SCOPED_TRACE(testing::Message() << "round " << round << ": " << one.text);
    expect_agreement(one.graph, random);
  }
}

TEST(MaxPool, AgreesOnRandomPlanes) { expect_random_pools("MaxPool", 2, 6); }
TEST(MaxPool, AgreesOnRandomLines) { expect_random_pools("MaxPool", 1, 7); }
TEST(AveragePool, AgreesOnRandomPlanes) { expect_random_pools("AveragePool", 2, 8); }
TEST(AveragePool, AgreesOnRandomLines) { expect_random_pools("AveragePool", 1, 9); }

TEST(AveragePool, CountsThePaddingOnlyIfAsked) {
  const auto corner = [](std::int64_t include) {
    const Graph graph = single({1, 1, 3, 3},
                               {node("AveragePool",
                                     {"x"},
                                     {{"kernel_shape", Ints{3, 3}},
                                      {"pads", Ints{1, 1, 1, 1}},
                                      {"count_include_pad", include}})});
    Session session(graph);
    return reference::run(session, {std::vector<float>(9, 9.0F)})[0][0];
  };
  EXPECT_EQ(corner(0), 9.0F);
  EXPECT_EQ(corner(1), 4.0F);
}

TEST(GlobalAveragePool, AgreesOnEveryRank) {
  Random random(10);
  for (const Shape& shape : {Shape{2, 3, 7}, {2, 3, 5, 17}, {1, 2, 2, 3, 5}}) {
    expect_agreement(single(shape, {node("GlobalAveragePool", {"x"})}), random);
  }
}

}  // namespace
}  // namespace lastbit
