#include "lastbit/train/windows.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agreement.h"
#include "lastbit/base/error.h"
#include "tests/runtime/random_windows.h"

// Convolution and pooling against a plain evaluation in double precision and the runtime.

namespace lastbit {
namespace {

using reference::add_random;
using reference::node;
using reference::single;

using Ints = std::vector<std::int64_t>;
using Attributes = std::map<std::string, Attribute, std::less<>>;

void expect_random_convs(std::size_t rank, std::uint64_t seed, int rounds) {
  Random random(seed);
  for (int round = 0; round < rounds; ++round) {
    const reference::WindowCase one = reference::random_conv(random, rank);
    SCOPED_TRACE(testing::Message() << "round " << round << ": " << one.text);
    expect_agreement(one.graph, random);
  }
}

TEST(Conv, AgreesOnRandomPlanes) { expect_random_convs(2, 1, 100); }
TEST(Conv, AgreesOnRandomLines) { expect_random_convs(1, 2, 100); }

TEST(Conv, PadsByItselfWhereAsked) {
  Random random(3);
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

void expect_random_pools(const std::string& op, std::size_t rank, std::uint64_t seed) {
  Random random(seed);
  for (int round = 0; round < 150; ++round) {
    const reference::WindowCase one = reference::random_pool(random, op, rank);
    SCOPED_TRACE(testing::Message() << "round " << round << ": " << one.text);
    expect_agreement(one.graph, random);
  }
}

TEST(MaxPool, AgreesOnRandomPlanes) { expect_random_pools("MaxPool", 2, 4); }
TEST(MaxPool, AgreesOnRandomLines) { expect_random_pools("MaxPool", 1, 5); }
TEST(AveragePool, AgreesOnRandomPlanes) { expect_random_pools("AveragePool", 2, 6); }
TEST(AveragePool, AgreesOnRandomLines) { expect_random_pools("AveragePool", 1, 7); }

TEST(Pools, PadByThemselvesWhereAsked) {
  Random random(8);
  for (const std::string op : {"MaxPool", "AveragePool"}) {
    for (const std::string mode : {"SAME_UPPER", "SAME_LOWER", "VALID"}) {
      for (const std::int64_t kernel : {2, 3}) {
        SCOPED_TRACE(op + " " + mode);
        expect_agreement(single({2, 3, 7, 8},
                                {node(op,
                                      {"x"},
                                      {{"kernel_shape", Ints{kernel, kernel}},
                                       {"strides", Ints{2, 2}},
                                       {"auto_pad", mode}})}),
                         random);
      }
    }
  }
}

TEST(Pools, SayWhatTheyCannotDo) {
  const auto refusal = [](const std::string& op, const Attributes& attributes) {
    const Graph graph = single({1, 1, 5, 5, 5}, {node(op, {"x"}, attributes)});
    return message_of<InputError>([&] { Network(graph, {}); });
  };
  EXPECT_EQ(refusal("MaxPool", {{"kernel_shape", Ints{2, 2, 2}}}),
            "[train] node 'MaxPool y' (MaxPool): pooling in 3 dimensions is not supported, "
            "expected 1 or 2");
  EXPECT_EQ(refusal("AveragePool", {{"kernel_shape", Ints{2, 2}}, {"dilations", Ints{1, 2}}}),
            "[train] node 'AveragePool y' (AveragePool): dilated average pooling is not supported");
}

// At the border only the part of a window on the input shares the gradient, where padding does not
// count.
TEST(AveragePool, PassesGradientsOnWhereItPadsUnevenly) {
  Network network(
      single({1, 1, 4},
             {node("AveragePool",
                   {"x"},
                   {{"kernel_shape", Ints{3}}, {"strides", Ints{2}}, {"pads", Ints{1, 0}}})}),
      {});
  torch::Tensor x = torch::tensor({1.0F, 3.0F, 5.0F, 7.0F}).view({1, 1, 4}).requires_grad_();
  const torch::Tensor y = network.forward(x);
  EXPECT_THAT(vector_of(y), testing::ElementsAre(2.0F, testing::FloatEq(5.0F)));
  y.sum().backward();
  EXPECT_THAT(vector_of(x.grad()),
              testing::ElementsAre(0.5F,
                                   testing::FloatEq(0.5F + 1.0F / 3.0F),
                                   testing::FloatEq(1.0F / 3.0F),
                                   testing::FloatEq(1.0F / 3.0F)));
}

TEST(GlobalAveragePool, AgreesOnEveryRank) {
  Random random(9);
  for (const Shape& shape : {Shape{2, 3, 7}, {2, 3, 5, 9}}) {
    expect_agreement(single(shape, {node("GlobalAveragePool", {"x"})}), random);
  }
}

}  // namespace
}  // namespace lastbit
