#include <string>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "reference.h"

// Convolution and pooling against a plain evaluation in double precision.

namespace lastbit {
namespace {

using reference::add_random;
using reference::expect_agreement;
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
  }
  return line;
}

// Spatial sizes in which a kernel of this reach fits whatever the padding.
Shape random_input(Random& random,
                   std::int64_t channels,
                   const Ints& kernel,
                   const Ints& dilations) {
  constexpr std::int64_t kSizes[] = {1, 2, 3, 5, 7, 17, 33};
  Shape shape = {1 + static_cast<std::int64_t>(random.below(3)), channels};
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    const std::int64_t reach = (kernel[i] - 1) * dilations[i] + 1;
    shape.push_back(std::max(reach, kSizes[random.below(std::size(kSizes))]));
  }
  return shape;
}

void expect_random_convs(std::size_t rank, std::uint64_t seed, int rounds) {
  Random random(seed);
  for (int round = 0; round < rounds; ++round) {
    const Ints kernel = random_ints(random, rank, 1, 4);
    const Ints dilations = random_ints(random, rank, 1, 3);
    Attributes attributes = {{"kernel_shape", kernel},
                             {"strides", random_ints(random, rank, 1, 3)},
                             {"dilations", dilations},
                             {"pads", random_ints(random, 2 * rank, 0, 3)}};
    const auto groups = static_cast<std::int64_t>(1 + random.below(3));
    const auto in = static_cast<std::int64_t>(1 + random.below(3));
    const auto out = static_cast<std::int64_t>(1 + random.below(8));
    attributes.emplace("group", groups);
    const Shape input = random_input(random, in * groups, kernel, dilations);
    SCOPED_TRACE(testing::Message()
                 << "round " << round << ": input " << to_string(input) << " " << text(attributes)
                 << "groups " << groups << " of " << in << " to " << out);
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
