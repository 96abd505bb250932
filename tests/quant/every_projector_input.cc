// What every set makes of input that is special, or bad, and of hints.

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "every_projector.h"
#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

TEST_P(EveryScaledProjector, MapsAGroupOfZerosToZeros) {
  const ChannelLayout layout{1, 2, 500};
  std::vector<float> zeros(1000, 0.0F);
  for (std::size_t i = 0; i < zeros.size(); i += 3) zeros[i] = -0.0F;
  const Quantized result = projector()->project(zeros, layout);
  EXPECT_EQ(result.scales, std::vector<float>(result.scales.size(), 0.0F));
  EXPECT_EQ(result.codes, std::vector<Code>(1000, result.levels.nearest(0.0F)));
  EXPECT_EQ(result.squared_error, 0.0);
}

TEST_P(EveryScaledProjector, KeepsASingleWeightAndEqualOnes) {
  for (const std::size_t count : {1, 2, 3, 1000}) {
    const std::vector<float> weights(count, -0.3F);
    const Quantized result =
        projector()->project(weights, {1, 1, static_cast<std::int64_t>(count)});
    const double energy = 0.09 * static_cast<double>(count);
    if (projector()->levels()->levels()[0] > 0.0F) {
      // No scale brings positive levels nearer.
      EXPECT_EQ(result.scales[0], 0.0F);
      EXPECT_NEAR(result.squared_error, energy, 1e-7 * energy);
    } else if (has_exact_products(result.levels)) {
      EXPECT_EQ(decoded(result), weights);
      EXPECT_EQ(result.squared_error, 0.0);
    } else {
      EXPECT_LE(result.squared_error, 0x1p-46 * energy);
    }
  }
}

std::string refusal(const Projector& projector,
                    const std::vector<float>& weights,
                    const ChannelLayout& layout) {
  try {
    projector.project(weights, layout);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST_P(EveryProjector, NamesTheWeightThatIsNotFinite) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::string set = cat("[", GetParam().substr(0, GetParam().find('/')), "] ");
  EXPECT_EQ(refusal(*projector(), {0.5F, std::nanf(""), kInfinity}, {1, 1, 3}),
            set + "weights[1] is nan, expected a finite value");
  EXPECT_EQ(refusal(*projector(), {0.5F, 1.0F, kInfinity}, {1, 3, 1}),
            set + "weights[2] is inf, expected a finite value");
  EXPECT_EQ(refusal(*projector(), {-kInfinity, 1.0F, 2.0F}, {3, 1, 1}),
            set + "weights[0] is -inf, expected a finite value");
}

TEST_P(EveryProjector, RefusesSizesThatDoNotMatch) {
  const std::string set = cat("[", GetParam().substr(0, GetParam().find('/')), "] ");
  EXPECT_EQ(refusal(*projector(), {}, {1, 1, 0}), set + "no weights, expected at least one");
  EXPECT_EQ(refusal(*projector(), {1.0F, 2.0F, 3.0F}, {1, 2, 2}),
            set + "3 weights do not fill the layout 1 x 2 x 2");
  EXPECT_EQ(refusal(*projector(), {1.0F, 2.0F}, {-1, -2, 1}),
            set + "2 weights do not fill the layout -1 x -2 x 1");
}

TEST_P(EveryProjector, RefusesHintsThatDoNotFit) {
  const std::string set = cat("[", GetParam().substr(0, GetParam().find('/')), "] ");
  const auto refused = [&](const ProjectionHints& hints) -> std::string {
    try {
      projector()->project(std::vector<float>{1.0F, 2.0F, 3.0F}, {1, 1, 3}, hints);
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  };
  const std::vector<float> two{1.0F, 2.0F};
  EXPECT_EQ(refused({.importance = two}),
            set + "2 importances for 3 weights, expected one for each");
  const std::vector<float> negative{1.0F, 0.0F, -2.0F};
  EXPECT_EQ(refused({.importance = negative}),
            set + "importance[2] is -2, expected a finite value that is not negative");
  const std::vector<float> unknown{1.0F, std::nanf(""), 2.0F};
  EXPECT_EQ(refused({.importance = unknown}),
            set + "importance[1] is nan, expected a finite value that is not negative");
  const Quantized other = projector()->project(two, {1, 1, 2});
  EXPECT_EQ(refused({.start = &other}),
            cat(set,
                "a start of 2 weights and ",
                projector()->size(),
                " levels, expected one of the same layout and ",
                projector()->size(),
                " levels"));
}

TEST_P(EveryProjector, TakesEqualImportanceForNone) {
  for (const ChannelLayout& layout : kLayouts) {
    const auto weights = normal_weights(layout, 10);
    const Quantized plain = projector()->project(weights, layout);
    for (const float each : {0.0F, 1.0F, 4.0F}) {
      const std::vector<float> importance(weights.size(), each);
      const Quantized result =
          projector()->project(weights, layout, {.importance = importance, .start = nullptr});
      EXPECT_EQ(result.scales, plain.scales) << each;
      EXPECT_EQ(result.levels, plain.levels) << each;
      EXPECT_EQ(result.codes, plain.codes) << each;
    }
  }
}

TEST_P(EveryProjector, IgnoresAStartUnlessItLearns) {
  const ChannelLayout layout{3, 4, 5};
  const auto weights = normal_weights(layout, 11);
  const Quantized plain = projector()->project(weights, layout);
  const Quantized start = projector()->project(normal_weights(layout, 12), layout);
  const Quantized result =
      projector()->project(weights, layout, {.importance = {}, .start = &start});
  if (projector()->levels() != nullptr) {
    EXPECT_EQ(result.codes, plain.codes);
    EXPECT_EQ(result.scales, plain.scales);
  }
  EXPECT_GE(result.squared_error, plain.squared_error * (1.0 - 1e-9));
}

INSTANTIATE_TEST_SUITE_P(
    Sets,
    EveryProjector,
    testing::ValuesIn(sets({"/none", "/tensor", "/channel", "/group:7"},
                           {"kmeans:2/none", "kmeans:3/none", "kmeans:16/none"})),
    readable);
INSTANTIATE_TEST_SUITE_P(Sets,
                         EveryScaledProjector,
                         testing::ValuesIn(sets({"/tensor", "/channel"})),
                         readable);
}  // namespace
}  // namespace lastbit
