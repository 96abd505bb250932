#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/method/direct.h"
#include "lastbit/method/fixed_codes.h"
#include "lastbit/method/refit.h"
#include "support.h"

// The methods around the training: direct compression and the finish with fixed codes.

namespace lastbit {
namespace {

TEST(DirectCompression, DeploysTheProjectionAndKeepsIt) {
  const std::vector<float> values = random_values(40, 1);
  Weights weights = one_layer(values, "shift:1/channel", 5);
  const auto method = make_direct_compression();
  method->begin(weights);
  const Quantized expected = parse_projector("shift:1/channel")->project(values, {1, 5, 8});
  EXPECT_EQ(method->deployed().at(0).codes, expected.codes);
  EXPECT_EQ(method->deployed().at(0).scales, expected.scales);
  EXPECT_EQ(method->passes(), 1);
  method->end_round({});
  EXPECT_EQ(method->deployed().at(0).codes, expected.codes);
  EXPECT_EQ(vector_of(weights.value), values);
}

TEST(DirectCompression, TellsTheGapToTheReference) {
  Weights weights = one_layer({3.0F, -4.0F}, "binary");
  const auto method = make_direct_compression();
  method->begin(weights);
  const Residuals residuals = method->end_round({});
  // The scale is 3.5: a gap of (-0.5, -0.5) to a weight of length 5.
  EXPECT_DOUBLE_EQ(residuals.primal, std::sqrt(0.5) / 5.0);
  EXPECT_EQ(residuals.dual, 0.0);
  EXPECT_EQ(residuals.flipped, 0.0);
  EXPECT_EQ(residuals.penalty, 0.0);
}

// <w, l> / <l, l> of each group, with plain loops over the layout [before, channels, after].
std::vector<double> best_scales(const Quantized& quantized, const std::vector<float>& w) {
  const ChannelLayout& layout = quantized.layout;
  std::vector<double> wl(quantized.scales.size(), 0.0);
  std::vector<double> ll(quantized.scales.size(), 0.0);
  for (std::int64_t i = 0; i < layout.size(); ++i) {
    const std::int64_t channel = (i / layout.after) % layout.channels;
    const std::size_t group =
        quantized.per == Granularity::kChannel ? static_cast<std::size_t>(channel) : 0;
    const auto at = static_cast<std::size_t>(i);
    const double level = quantized.levels[quantized.codes[at]];
    wl[group] += w[at] * level;
    ll[group] += level * level;
  }
  for (std::size_t g = 0; g < wl.size(); ++g) wl[g] /= ll[g];
  return wl;
}

struct Case {
  std::string set;
  ChannelLayout layout;
};

class FixedCodesOf : public testing::TestWithParam<Case> {};

TEST_P(FixedCodesOf, FitScalesAfterEachStepAndKeepCodes) {
  const auto& [set, layout] = GetParam();
  const auto count = static_cast<std::size_t>(layout.size());
  const std::vector<float> values = random_values(count, 2);
  const Quantized start = parse_projector(set)->project(values, layout);
  Weights weights = one_layer(values, set);
  weights.layers[0].layout = layout;
  const auto method = make_fixed_codes({start});
  method->begin(weights);
  EXPECT_EQ(vector_of(weights.value), decoded(start)) << "the start is the low-bit point itself";

  Progress at{.total_steps = 20, .total_rounds = 1, .learning_rate = 0.1};
  for (std::uint64_t step = 0; step < 20; ++step) {
    // A step of the optimizer: anywhere near.
    weights.value.add_(tensor_of(random_values(count, 100 + step)), 0.05);
    const std::vector<float> moved = vector_of(weights.value);
    const std::vector<double> expected = best_scales(method->deployed().at(0), moved);
    method->after_step(at);

    const Quantized& deployed = method->deployed().at(0);
    EXPECT_EQ(deployed.codes, start.codes);
    EXPECT_EQ(vector_of(weights.value), decoded(deployed));
    for (std::size_t g = 0; g < deployed.scales.size(); ++g) {
      // Sums are taken in double, so all that is left is the rounding to float32 and, of sums in
      // another order, far less.
      const double scale = start.per == Granularity::kNone ? 1.0 : expected[g];
      EXPECT_NEAR(deployed.scales[g], scale, 1.01 * kRounding * std::abs(scale)) << "group " << g;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Method,
                         FixedCodesOf,
                         testing::Values(Case{"binary", {1, 1, 30}},
                                         Case{"ternary", {1, 5, 12}},
                                         Case{"ternary/channel", {1, 5, 12}},
                                         Case{"shift:2/channel", {12, 5, 1}},
                                         Case{"shift:1/channel", {3, 4, 5}},
                                         Case{"ternary/none", {1, 5, 12}}));

// `quantized` as the one layer of a network.
void fit(Quantized& quantized, const std::vector<float>& weights) {
  std::vector<Quantized> low_bit = {quantized};
  std::vector<ConstrainedWeight> layers = {
      {.name = "w", .layout = quantized.layout, .set = parse_projector("ternary/channel")}};
  if (quantized.per == Granularity::kNone) layers[0].set = parse_projector("ternary/none");
  refit(layers, low_bit, weights.data());
  quantized = low_bit[0];
}

// Levels that are not those of the set were learned: each becomes the mean of its weights.
TEST(FixedCodes, FitLearnedLevels) {
  const Quantized learned{
      Codebook({-2, 0, 5}), Granularity::kNone, {1, 1, 6}, {1.0F}, {0, 0, 1, 2, 2, 2}, 0.0};
  Quantized quantized = learned;
  fit(quantized, {-1, -2, 0.25F, 3, 4, 8});
  EXPECT_EQ(quantized.levels, Codebook({-1.5F, 0.25F, 5}));
  EXPECT_EQ(quantized.codes, learned.codes);
  // Means that would cross leave the levels as they are.
  quantized = learned;
  fit(quantized, {1, 1, 0, 3, 4, 8});
  EXPECT_EQ(quantized.levels, learned.levels);
}

TEST(FixedCodes, FitWhatLayersShareAsOne) {
  const ConstrainedWeight layer{
      .name = "a", .layout = {1, 1, 2}, .set = parse_projector("ternary"), .shared = 0};
  ConstrainedWeight second = layer;
  second.offset = 3;
  ConstrainedWeight alone = layer;
  alone.offset = 2;
  alone.layout = {1, 1, 1};
  alone.shared = -1;
  std::vector<Quantized> low_bit = {
      {Codebook({-1, 0, 1}), Granularity::kTensor, {1, 1, 2}, {1}, {2, 0}, 0.0},
      {Codebook({-1, 0, 1}), Granularity::kTensor, {1, 1, 1}, {1}, {2}, 0.0},
      {Codebook({-1, 0, 1}), Granularity::kTensor, {1, 1, 2}, {1}, {2, 1}, 0.0}};
  const std::vector<float> flat = {1, -2, 9, 6, 100};
  refit({layer, alone, second}, low_bit, flat.data());
  EXPECT_EQ(low_bit[0].scales, std::vector<float>{3});
  EXPECT_EQ(low_bit[1].scales, std::vector<float>{9});
  EXPECT_EQ(low_bit[2].scales, std::vector<float>{3});
}

TEST(FixedCodes, KeepAScaleThatWouldNotBePositive) {
  Quantized quantized =
      parse_projector("ternary/channel")->project(std::vector<float>{1, -1, 2, 2, 0, 0}, {1, 3, 2});
  ASSERT_EQ(quantized.scales, (std::vector<float>{1, 2, 0}));
  // Against the codes, at a right angle to them, and a group without levels.
  const std::vector<float> against = {-1, 1, 1, -1, 5, 5};
  fit(quantized, against);
  EXPECT_EQ(quantized.scales, (std::vector<float>{1, 2, 0}));
  const std::vector<float> along = {3, -5, 1, 0, 5, 5};
  fit(quantized, along);
  EXPECT_EQ(quantized.scales, (std::vector<float>{4, 0.5F, 0}));
}

TEST(FixedCodes, LeaveASetWithoutScaleAsItIs) {
  Quantized quantized =
      parse_projector("binary/none")->project(std::vector<float>{0.3F, -7.0F}, {1, 1, 2});
  const std::vector<float> weights = {100.0F, -100.0F};
  fit(quantized, weights);
  EXPECT_EQ(quantized.scales, std::vector<float>{1.0F});
}

TEST(FixedCodes, GoOnFromTheirStateBitForBit) {
  const std::vector<float> values = random_values(24, 3);
  const Quantized start = parse_projector("ternary/channel")->project(values, {1, 4, 6});
  Weights weights = one_layer(values, "ternary/channel", 4);
  const auto method = make_fixed_codes({start});
  method->begin(weights);
  weights.value.add_(tensor_of(random_values(24, 4)), 0.1);
  method->after_step({});
  const auto state = method->state();
  const std::vector<float> saved = vector_of(weights.value);

  Weights other = one_layer(values, "ternary/channel", 4);
  const auto again = make_fixed_codes({start});
  again->begin(other);
  again->load(state);
  EXPECT_EQ(vector_of(other.value), saved);
  EXPECT_EQ(again->deployed().at(0).scales, method->deployed().at(0).scales);
}

}  // namespace
}  // namespace lastbit
