#include "lastbit/cli/bit_ratio.h"

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/graph/lowbit.h"
#include "lastbit/quant/projector.h"
#include "lastbit/zoo/zoo.h"

namespace lastbit {
namespace {

// Every weight of the network in `set`; learned levels are first, first + 1, ..., and `first` grows
// from layer to layer unless `equal`.
Graph squeezed(const std::string& network, const std::string& set, bool equal = false) {
  Graph graph = make_network(network, {});
  const auto projector = parse_projector(set);
  float first = 1.0F;
  for (auto& [name, initializer] : graph.initializers) {
    if (!name.ends_with(".weight")) continue;
    const Shape shape = shape_of(initializer);
    const ChannelLayout layout = channel_layout(shape, 0);
    std::vector<float> levels;
    for (int k = 0; k < projector->size(); ++k) levels.push_back(first + static_cast<float>(k));
    if (!equal) first += 0.25F;
    const Granularity per = projector->granularity();
    const Quantized quantized{
        projector->levels() == nullptr ? Codebook(levels) : *projector->levels(),
        per,
        layout,
        std::vector<float>(scale_count(per, layout, 0), 1.0F),
        std::vector<Code>(static_cast<std::size_t>(layout.size()), 1),
        0.0,
        0};
    initializer = pack_lowbit(quantized, shape, 0, projector->name());
  }
  return graph;
}

constexpr std::array<int, 6> kSizes = {64, 32, 16, 8, 4, 2};

void expect_ratios(const std::string& network,
                   bool equal,
                   const std::array<double, kSizes.size()>& published) {
  for (std::size_t i = 0; i < kSizes.size(); ++i) {
    const std::string set = "kmeans:" + std::to_string(kSizes[i]);
    EXPECT_NEAR(bit_ratio(squeezed(network, set, equal)), published[i], 5e-4) << set;
  }
}

// rho(K) = (P1 + P0) b / (P1 ceil(log2 K) + (P0 + K C) b) for P1 weights, P0 biases, C codebooks
// and b = 32 (Carreira-Perpinan and Idelbayev 2017, part II).
TEST(BitRatio, IsThePapersForLearnedLevels) {
  expect_ratios("lenet300", false, {5.278, 6.333, 7.904, 10.500, 15.628, 30.523});
  expect_ratios("lenet5", false, {5.286, 6.342, 7.916, 10.521, 15.674, 30.701});
}

TEST(BitRatio, CountsEqualCodebooksOnce) {
  expect_ratios("lenet300", true, {5.291, 6.342, 7.911, 10.507, 15.636, 30.537});
}

TEST(BitRatio, CountsScalesAndNoFixedLevels) {
  EXPECT_NEAR(bit_ratio(squeezed("lenet300", "binary")), 30.533, 5e-4);
  EXPECT_NEAR(bit_ratio(squeezed("lenet300", "ternary")), 15.636, 5e-4);
  // 266,200 weights and 410 biases, without a scale and with one for each of 410 channels.
  EXPECT_DOUBLE_EQ(bit_ratio(squeezed("lenet300", "binary/none")),
                   32.0 * 266610 / (266200 + 32.0 * 410));
  EXPECT_DOUBLE_EQ(bit_ratio(squeezed("lenet300", "binary/channel")),
                   32.0 * 266610 / (266200 + 32.0 * (410 + 410)));
}

TEST(BitRatio, IsOneForANetworkInFloat) {
  EXPECT_EQ(bit_ratio(make_network("lenet300", {})), 1.0);
  EXPECT_EQ(bit_ratio(Graph{}), 1.0);
}

}  // namespace
}  // namespace lastbit
