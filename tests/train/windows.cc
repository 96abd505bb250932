#include "lastbit/train/windows.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agreement.h"
#include "lastbit/base/error.h"

// Convolution and pooling against a plain evaluation in double precision and the runtime.

namespace lastbit {
namespace {

using reference::add_random;
using reference::node;
using reference::single;

using Ints = std::vector<std::int64_t>;
using Attributes = std::map<std::string, Attribute, std::less<>>;

Ints random_ints(Random& random, std::size_t count, std::int64_t low, std::int64_t high) {
  Ints values(count);
  for (std::int64_t& v : values) {
    v = low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1)));
  }
  return values;
}

std::string text(const Attributes& attributes) {
  std::string line;
  for (const auto& [name, value] : attributes) {
    if (const auto* ints = std::get_if<Ints>(&value)) line += name + " " + to_string(*ints) + " ";
    if (const auto* one = std::get_if<std::int64_t>(&value)) {
      line += name + " " + std::to_string(*one) + " ";
    }
  }
  return line;
}

// Spatial sizes in which a kernel of this reach fits whatever the padding.
Shape random_input(Random& random, std::int64_t channels, const Ints& kernel, const Ints& steps) {
  constexpr std::int64_t kSizes[] = {1, 2, 3, 5, 7, 12};
  Shape shape = {1 + static_cast<std::int64_t>(random.below(3)), channels};
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    const std::int64_t reach = (kernel[i] - 1) * steps[i] + 1;
    shape.push_back(std::max(reach, kSizes[random.below(std::size(kSizes))]));
  }
  return shape;
}

void expect_random_convs(std::size_t rank, std::uint64_t seed) {
  Random random(seed);
  for (int round = 0; round < 100; ++round) {
    const Ints kernel = random_ints(random, rank, 1, 4);
    const Ints dilations = random_ints(random, rank, 1, 3);
    const auto groups = static_cast<std::int64_t>(1 + random.below(3));
    const auto in = static_cast<std::int64_t>(1 + random.below(3));
    const auto out = static_cast<std::int64_t>(1 + random.below(8));
    const Attributes attributes = {{"kernel_shape", kernel},
                                   {"strides", random_ints(random, rank, 1, 3)},
                                   {"dilations", dilations},
                                   {"pads", random_ints(random, 2 * rank, 0, 3)},
                                   {"group", groups}};
    const Shape input = random_input(random, in * groups, kernel, dilations);
    SCOPED_TRACE(testing::Message()
                 << "round " << round << ": input " << to_string(input) << " " << text(attributes));
    Graph graph = single(input, {});
    Shape weights = {out * groups, in};
    weights.insert(weights.end(), kernel.begin(), kernel.end());
    add_random(graph, "w", weights, random);
    add_random(graph, "b", {out * groups}, random);
    std::vector<std::string> inputs = {"x", "w"};
    if (random.below(2) == 0) inputs.emplace_back("b");
    graph.nodes = {node("Conv", inputs, attributes)};
    expect_agreement(graph, random);
  }
}

TEST(Conv, AgreesOnRandomPlanes) { expect_random_convs(2, 1); }
TEST(Conv, AgreesOnRandomLines) { expect_random_convs(1, 2); }

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
    const Ints kernel = random_ints(random, rank, 1, 4);
    Ints pads = random_ints(random, 2 * rank, 0, 3);
    // Padding as wide as the kernel makes windows without any input.
    for (std::size_t i = 0; i < pads.size(); ++i) pads[i] = std::min(pads[i], kernel[i % rank] - 1);
    const Ints dilations = random_ints(random, rank, 1, op == "MaxPool" ? 3 : 1);
    Attributes attributes = {{"kernel_shape", kernel},
                             {"strides", random_ints(random, rank, 1, 4)},
                             {"pads", pads},
                             {"ceil_mode", static_cast<std::int64_t>(random.below(2))}};
    if (op == "MaxPool") {
      attributes.emplace("dilations", dilations);
    } else {
      attributes.emplace("count_include_pad", static_cast<std::int64_t>(random.below(2)));
    }
    const Shape input = random_input(random, 3, kernel, dilations);
    SCOPED_TRACE(testing::Message()
                 << "round " << round << ": input " << to_string(input) << " " << text(attributes));
    expect_agreement(single(input, {node(op, {"x"}, attributes)}), random);
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
