#include "lastbit/method/rounding.h"

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/quant/rounding.h"
#include "support.h"

namespace lastbit {
namespace {

// A set, and the channels' place in a tensor of 2048 weights.
struct Case {
  std::string set;
  ChannelLayout layout;
};

class RoundingOf : public testing::TestWithParam<Case> {};

// Also at the thresholds themselves, where ties are settled, and with a channel of zeros.
TEST_P(RoundingOf, IsTheDecodedProjectionBitForBit) {
  const auto& [set, layout] = GetParam();
  ASSERT_EQ(layout.size(), 2048);
  std::vector<float> values = random_values(2048, 11);
  for (std::int64_t b = 0; b < layout.before; ++b) {
    for (std::int64_t a = 0; a < layout.after; ++a) {
      values[static_cast<std::size_t>((b * layout.channels + 1) * layout.after + a)] = 0.0F;
    }
  }
  // An offset that is not a multiple of any width.
  std::vector<float> padded(3, 7.0F);
  padded.insert(padded.end(), values.begin(), values.end());
  const ConstrainedWeight layer{
      .name = "w", .offset = 3, .layout = layout, .set = parse_projector(set)};
  const Quantized projection = layer.set->project(values, layout);
  const Staircase stairs = nearest(layer, projection);

  const torch::Tensor from = tensor_of(padded);
  torch::Tensor to = torch::full_like(from, 9.0F);
  apply(stairs, from, to);
  const std::vector<float> result = vector_of(to);
  EXPECT_EQ(std::vector<float>(result.begin() + 3, result.end()), decoded(projection));
  EXPECT_EQ(std::vector<float>(result.begin(), result.begin() + 3), (std::vector<float>(3, 9.0F)));
  torch::Tensor by_tensors = torch::full_like(from, 9.0F);
  apply_by_tensors(stairs, from, by_tensors);
  EXPECT_EQ(vector_of(by_tensors), result);
  EXPECT_EQ(codes(stairs, from), projection.codes);
  // The sum of 2048 squares in another order.
  EXPECT_NEAR(squared_error(layer, projection, from),
              projection.squared_error,
              2048 * 0x1p-52 * projection.squared_error);
}

INSTANTIATE_TEST_SUITE_P(Layouts,
                         RoundingOf,
                         testing::Values(Case{"binary", {1, 8, 256}},
                                         Case{"binary/none", {1, 8, 256}},
                                         Case{"binary/channel", {1, 8, 256}},
                                         Case{"ternary", {1, 8, 256}},
                                         Case{"ternary/channel", {1, 8, 256}},
                                         Case{"ternary/channel", {128, 16, 1}},
                                         Case{"ternary/channel", {16, 8, 16}},
                                         Case{"shift:2", {1, 2, 1024}},
                                         Case{"shift:2/none", {1, 8, 256}},
                                         Case{"shift:2/channel", {1, 8, 256}},
                                         Case{"shift:2/channel", {256, 8, 1}},
                                         Case{"pow2:3", {1, 8, 256}},
                                         Case{"pow2:3/none", {1, 8, 256}},
                                         Case{"uniform:2/channel", {1, 8, 256}},
                                         Case{"uniform:4", {1, 8, 256}},
                                         Case{"levels:-3,-1,0,0.5,2", {1, 8, 256}},
                                         Case{"levels:-3,-1,0,0.5,2/channel", {256, 8, 1}},
                                         Case{"kmeans:5", {1, 8, 256}},
                                         Case{"binary/group:32", {1, 8, 256}},
                                         Case{"ternary/group:32", {1, 8, 256}},
                                         Case{"shift:2/group:64", {1, 8, 256}}));

TEST(Nearest, SettlesTiesAsTheCodebookDoes) {
  const std::vector<float> levels = {-4, -2, -1, 0, 1, 3};
  const Codebook codebook(levels);
  std::vector<float> points;
  for (std::size_t k = 0; k + 1 < levels.size(); ++k) {
    const float middle = 0.5F * (levels[k] + levels[k + 1]);
    points.insert(points.end(),
                  {std::nextafter(middle, -9.0F), middle, std::nextafter(middle, 9.0F)});
  }
  points.insert(points.end(), {-100.0F, 100.0F, -0.0F, 0.0F});
  const Groups groups{0, {1, 1, static_cast<std::int64_t>(points.size())}};
  Staircase stairs(groups, levels.size() - 1);
  fit_nearest(stairs, levels, std::vector<float>{1.0F});
  const std::vector<Code> result = codes(stairs, tensor_of(points));
  for (std::size_t i = 0; i < points.size(); ++i) {
    EXPECT_EQ(result[i], codebook.nearest(points[i])) << points[i];
  }
}

// At each threshold and the floats around it, for scales of every size: what a weight is rounded to
// in training is what the projector makes of it.
TEST(Nearest, HasTheCodesOfTheProjectorAtTheSameScale) {
  const std::vector<std::vector<float>> sets = {{-1, 1},
                                                {-1, 0, 1},
                                                {-4, -2, -1, 0, 1, 2, 4},
                                                {-1, -0.5F, -0.25F, 0, 0.25F, 0.5F, 1},
                                                {-3, -1, 0, 0.5F, 2},
                                                {-0.3F, 0.1F, 0.2F, 0.9F},
                                                {0.1F, 0.7F},
                                                {-1.7F, -1.1F, -0.1F}};
  constexpr float kHuge = std::numeric_limits<float>::max();
  Random random(21);
  for (const std::vector<float>& levels : sets) {
    const Codebook codebook(levels);
    for (int trial = 0; trial < 300; ++trial) {
      const auto scale =
          trial == 0 ? 0.0F : static_cast<float>(std::pow(10.0, 70.0 * random.uniform() - 35.0));
      std::vector<float> points = {0.0F, -0.0F};
      for (std::size_t k = 0; k + 1 < levels.size(); ++k) {
        const double low = levels[k] * scale;
        const double high = levels[k + 1] * scale;
        auto point = static_cast<float>(0.5 * (low + high));
        for (int i = 0; i < 3; ++i) point = std::nextafter(point, -kHuge);
        for (int i = 0; i < 7; ++i, point = std::nextafter(point, kHuge)) points.push_back(point);
      }
      std::vector<Code> expected(points.size());
      Rounding(codebook, scale).round(points, expected);
      Staircase stairs({0, {1, 1, static_cast<std::int64_t>(points.size())}}, levels.size() - 1);
      fit_nearest(stairs, levels, std::vector<float>{scale});
      ASSERT_EQ(codes(stairs, tensor_of(points)), expected) << scale << ", trial " << trial;
    }
  }
}

TEST(Nearest, RefusesGroupsThatAreNoRunsOfMemory) {
  const ConstrainedWeight layer{
      .name = "fc1", .layout = {1, 2, 6}, .set = parse_projector("ternary/group:4")};
  try {
    nearest(layer, layer.set->project(random_values(12, 1), layer.layout));
    FAIL() << "expected InputError";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "[method] layer 'fc1' has codebook ternary/group:4 and channels of 1 x 6 weights; "
                 "a method that rounds in each step expects one run of memory, a multiple of the "
                 "group");
  }
}

// Figures of each group against a loop in double; layouts with and without runs of memory.
class ByGroup : public testing::TestWithParam<ChannelLayout> {
 protected:
  template <typename Visit>
  void each(const Visit& visit) const {
    const ChannelLayout& layout = GetParam();
    std::size_t i = 0;
    for (std::int64_t b = 0; b < layout.before; ++b) {
      for (std::int64_t g = 0; g < layout.channels; ++g) {
        for (std::int64_t a = 0; a < layout.after; ++a, ++i) {
          visit(static_cast<std::size_t>(g), static_cast<double>(values_[i]));
        }
      }
    }
  }

  Groups groups_{0, GetParam()};
  std::vector<float> values_ = random_values(static_cast<std::size_t>(GetParam().size()), 5);
  std::size_t count_ = static_cast<std::size_t>(GetParam().channels);
};

TEST_P(ByGroup, SumsAgree) {
  std::vector<double> sums(count_, 0.0);
  std::vector<double> magnitudes(count_, 0.0);
  each([&](std::size_t g, double w) {
    sums[g] += w;
    magnitudes[g] += std::abs(w);
  });
  const torch::Tensor flat = tensor_of(values_);
  const auto result = group_sums({&groups_, 1}, flat).front();
  const auto means = mean_magnitudes({&groups_, 1}, flat).front();
  const auto size = static_cast<double>(groups_.size());
  for (std::size_t g = 0; g < count_; ++g) {
    // At most 64 additions in float to a lane, and a few for the rest of a block.
    const double tolerance = 80 * kRounding * magnitudes[g];
    EXPECT_NEAR(result[g], sums[g], tolerance);
    EXPECT_NEAR(means[g], magnitudes[g] / size, tolerance / size);
  }
}

TEST_P(ByGroup, MeansAboveAThresholdAgree) {
  std::vector<float> thresholds(count_);
  for (std::size_t g = 0; g < count_; ++g) thresholds[g] = 0.1F * static_cast<float>(g + 1);
  thresholds.back() = 100.0F;
  std::vector<double> sums(count_, 0.0);
  std::vector<double> counts(count_, 0.0);
  each([&](std::size_t g, double w) {
    if (std::abs(w) <= static_cast<double>(thresholds[g])) return;
    sums[g] += std::abs(w);
    ++counts[g];
  });
  const auto means = mean_magnitudes({&groups_, 1}, tensor_of(values_), {&thresholds, 1}).front();
  for (std::size_t g = 0; g + 1 < count_; ++g) {
    EXPECT_NEAR(means[g], sums[g] / counts[g], 80 * kRounding * sums[g] / counts[g]);
  }
  EXPECT_EQ(means.back(), 0.0) << "none is above";
}

TEST_P(ByGroup, LargestMagnitudesAreExact) {
  std::vector<float> largest(count_, 0.0F);
  each([&](std::size_t g, double w) {
    largest[g] = std::max(largest[g], static_cast<float>(std::abs(w)));
  });
  EXPECT_EQ(largest_magnitudes({&groups_, 1}, tensor_of(values_)).front(), largest);
}

INSTANTIATE_TEST_SUITE_P(Layouts,
                         ByGroup,
                         testing::Values(ChannelLayout{1, 3, 100},
                                         ChannelLayout{1, 2, 5000},
                                         ChannelLayout{40, 5, 1},
                                         ChannelLayout{7, 3, 9}));

}  // namespace
}  // namespace lastbit
