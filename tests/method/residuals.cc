#include "lastbit/method/residuals.h"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/method/weights.h"
#include "support.h"

namespace lastbit {
namespace {

ConstrainedWeight layer(const std::string& name,
                        std::int64_t offset,
                        ChannelLayout layout,
                        const std::string& set) {
  return {.name = name, .offset = offset, .layout = layout, .set = parse_projector(set)};
}

Weights weights_of(const std::vector<float>& values, std::vector<ConstrainedWeight> layers) {
  Weights weights;
  weights.value = tensor_of(values);
  weights.gradient = torch::zeros_like(weights.value);
  weights.layers = std::move(layers);
  return weights;
}

// Scales 2 and (1, 4); the values are chosen so that all figures are binary fractions.
class LowBitPointOfTwoLayers : public testing::Test {
 protected:
  LowBitPointOfTwoLayers() {
    weights_ = weights_of(
        {3, -1, 2, -2, 1, -1, 0, 0, 4, 4, -4, 0},
        {layer("a", 0, {1, 1, 4}, "binary"), layer("b", 4, {1, 2, 4}, "ternary/channel")});
    point_.begin(weights_);
  }
  Weights weights_;
  LowBitPoint point_;
};

TEST_F(LowBitPointOfTwoLayers, TellsFiguresOfEachLayerAtTheStart) {
  const Residuals residuals = point_.residuals(weights_.value, 0.25);
  EXPECT_EQ(residuals.penalty, 0.25);
  EXPECT_EQ(residuals.dual, 0.0);
  EXPECT_EQ(residuals.flipped, 0.0);
  ASSERT_EQ(residuals.layers.size(), 2U);
  const LayerResiduals& a = residuals.layers[0];
  EXPECT_EQ(a.name, "a");
  // z = 2 sgn(w): gaps 1, 1, 0, 0 of a weight of squared length 9 + 1 + 4 + 4.
  EXPECT_DOUBLE_EQ(a.primal, std::sqrt(2.0 / 18.0));
  EXPECT_EQ(a.scale, 2.0);
  EXPECT_EQ(a.shares, (std::vector<double>{0.5, 0.5}));
  EXPECT_DOUBLE_EQ(a.entropy, 1.0);
  EXPECT_EQ(a.multiplier, 0.0);
  EXPECT_EQ(a.flipped, 0.0);
  const LayerResiduals& b = residuals.layers[1];
  EXPECT_EQ(b.name, "b");
  EXPECT_EQ(b.primal, 0.0);
  EXPECT_EQ(b.scale, 2.5) << "the mean of 1 and 4";
  EXPECT_EQ(b.shares, (std::vector<double>{0.25, 0.375, 0.375}));
  EXPECT_DOUBLE_EQ(b.entropy, 0.5 + 2.0 * 0.375 * std::log2(8.0 / 3.0));
  EXPECT_DOUBLE_EQ(residuals.primal, std::sqrt(2.0 / (18.0 + 2.0 + 48.0)));
}

TEST_F(LowBitPointOfTwoLayers, TellsWhatARoundChanged) {
  const torch::Tensor moved = tensor_of({3, 1, 2, -2, 1, -1, 0, 0, 4, 0, 0, 0});
  const torch::Tensor multipliers = tensor_of({3, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 12});
  point_.project(moved);
  const Residuals residuals = point_.residuals(moved, 0.0, multipliers);
  const LayerResiduals& a = residuals.layers.at(0);
  EXPECT_EQ(a.flipped, 0.25) << "one of four signs";
  EXPECT_EQ(a.shares, (std::vector<double>{0.25, 0.75}));
  EXPECT_DOUBLE_EQ(a.entropy, 0.5 + 0.75 * std::log2(4.0 / 3.0));
  EXPECT_EQ(a.multiplier, 5.0);
  const LayerResiduals& b = residuals.layers.at(1);
  EXPECT_EQ(b.flipped, 0.25) << "two of eight";
  EXPECT_EQ(b.multiplier, 12.0);
  EXPECT_EQ(residuals.flipped, 0.25) << "three of twelve";
  // z moved by 4 in a (from -2 to 2), by 4 and -4 in b.
  EXPECT_DOUBLE_EQ(residuals.dual, std::sqrt((16.0 + 16.0 + 16.0) / (18.0 + 2.0 + 16.0)));

  point_.project(moved);
  const Residuals still = point_.residuals(moved, 0.0);
  EXPECT_EQ(still.flipped, 0.0);
  EXPECT_EQ(still.dual, 0.0);
  EXPECT_EQ(still.layers.at(0).flipped, 0.0);
}

TEST_F(LowBitPointOfTwoLayers, TakesAPointAsItIsGiven) {
  std::vector<Quantized> given = point_.quantized();
  given[0].scales = {8.0F};
  point_.assign(given);
  EXPECT_EQ(vector_of(point_.value().narrow(0, 0, 4)), (std::vector<float>{8, -8, 8, -8}));
  EXPECT_EQ(point_.residuals(weights_.value, 0.0).flipped, 0.0);
  EXPECT_EQ(point_.residuals(weights_.value, 0.0).layers.at(0).scale, 8.0);
}

TEST_F(LowBitPointOfTwoLayers, GoesOnFromItsState) {
  point_.project(tensor_of({3, 1, 2, -2, 1, -1, 0, 0, 4, 0, 0, 0}));
  std::map<std::string, torch::Tensor> state;
  point_.save(state);
  LowBitPoint other;
  other.begin(weights_);
  other.load(state);
  EXPECT_EQ(vector_of(other.value()), vector_of(point_.value()));
  EXPECT_EQ(other.residuals(weights_.value, 0.0).flipped, 0.0);
}

// The two means of 0, 0, 2, 6 part 2 from 6. From there 0, 0, 3, 6 stays as it is, although 3 and 6
// together would be nearer: {1, 6} is 6 away from it, {0, 4.5} 4.5.
TEST(LowBitPoint, KeepsALearnedCodebookWarm) {
  const std::vector<float> before = {0, 0, 2, 6};
  const std::vector<float> after = {0, 0, 3, 6};
  const Weights weights = weights_of(before, {layer("w", 0, {1, 1, 4}, "kmeans:2")});
  LowBitPoint point;
  point.begin(weights);
  EXPECT_EQ(point.quantized().at(0).codes, (std::vector<Code>{0, 0, 0, 1}));
  point.project(tensor_of(after));
  EXPECT_EQ(point.quantized().at(0).codes, (std::vector<Code>{0, 0, 0, 1}));
  EXPECT_EQ(point.quantized().at(0).levels, Codebook({1, 6}));
  EXPECT_EQ(point.quantized().at(0).squared_error, 6.0);

  LowBitPoint cold;
  cold.begin(weights_of(after, weights.layers));
  EXPECT_EQ(cold.quantized().at(0).levels, Codebook({0, 4.5F}));
  EXPECT_EQ(cold.quantized().at(0).squared_error, 4.5);
}

TEST(LowBitPoint, TellsNoEntropyWhereAllCodesAreOne) {
  LowBitPoint point;
  const Weights weights = weights_of({2, 2, 2}, {layer("w", 0, {1, 1, 3}, "ternary")});
  point.begin(weights);
  const Residuals residuals = point.residuals(weights.value, 0.0);
  EXPECT_EQ(residuals.layers.at(0).entropy, 0.0);
  EXPECT_EQ(residuals.layers.at(0).shares, (std::vector<double>{0, 0, 1}));
  EXPECT_EQ(residuals.primal, 0.0);
}

// Each term is rounded as a difference (twice in its square) and as a square; terms are not
// negative, and they are summed in double.
TEST(LowBitPoint, IsAsFarAwayAsALoopInDoubleFinds) {
  for (const std::size_t size : {1U, 3U, 17U, 1000U, 100003U}) {
    SCOPED_TRACE(size);
    const std::vector<float> w = random_values(size, 4);
    const Weights weights = one_layer(w, "ternary");
    LowBitPoint point;
    point.begin(weights);
    const std::vector<float> z = decoded(point.quantized().front());
    double gap = 0.0;
    double norm = 0.0;
    for (std::size_t i = 0; i < size; ++i) {
      gap += (static_cast<double>(w[i]) - z[i]) * (static_cast<double>(w[i]) - z[i]);
      norm += static_cast<double>(w[i]) * w[i];
    }
    const double expected = std::sqrt(gap / norm);
    EXPECT_NEAR(point.residuals(weights.value, 0.0).primal, expected, 3.01 * kRounding * expected);
  }
}

}  // namespace
}  // namespace lastbit
