// What the projection of every set is, for each granularity.

#include "every_projector.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lastbit {
namespace {

// Positions of the weights of one channel.
std::vector<std::size_t> members(const ChannelLayout& layout, std::int64_t channel) {
  std::vector<std::size_t> result;
  for (std::int64_t b = 0; b < layout.before; ++b) {
    for (std::int64_t a = 0; a < layout.after; ++a) {
      result.push_back(
          static_cast<std::size_t>((b * layout.channels + channel) * layout.after + a));
    }
  }
  return result;
}

std::int64_t group_of(const std::string& name) {
  const std::size_t at = name.find("/group:");
  return at == std::string::npos ? 0 : std::stoll(name.substr(at + 7));
}

// The scale of each weight.
std::vector<float> scales_of(const Quantized& quantized) {
  Quantized ones = quantized;
  ones.levels = Codebook({0.0F, 1.0F});
  ones.codes.assign(ones.codes.size(), 1);
  return decoded(ones);
}

class EveryChannelProjector : public EveryProjector {};
class EverySymmetricProjector : public EveryProjector {};
class EveryGroupProjector : public EveryProjector {};

TEST_P(EveryProjector, DescribesItsResult) {
  for (const ChannelLayout& layout : kLayouts) {
    const Quantized result = projector()->project(normal_weights(layout, 1), layout);
    if (projector()->levels() != nullptr) {
      EXPECT_EQ(result.levels, *projector()->levels());
    }
    EXPECT_EQ(result.levels.size(), projector()->size());
    EXPECT_EQ(result.per, projector()->granularity());
    EXPECT_EQ(result.layout, layout);
    EXPECT_EQ(result.group, group_of(GetParam()));
    EXPECT_EQ(result.codes.size(), static_cast<std::size_t>(layout.size()));
    EXPECT_EQ(result.scales.size(), scale_count(result.per, layout, result.group));
    for (const float scale : result.scales) EXPECT_GE(scale, 0.0F);
  }
}

TEST_P(EveryProjector, ReportsTheErrorOfTheDecodedWeights) {
  for (const ChannelLayout& layout : kLayouts) {
    const auto weights = normal_weights(layout, 2);
    const Quantized result = projector()->project(weights, layout);
    const auto after = decoded(result);
    double error = 0.0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double gap = static_cast<double>(weights[i]) - static_cast<double>(after[i]);
      error += gap * gap;
    }
    // At most 1400 rounded additions: 1400 * 2^-53.
    EXPECT_NEAR(result.squared_error, error, 2e-13 * error);
  }
}

TEST_P(EveryProjector, RoundsToTheNearestLevelOfItsScale) {
  for (const ChannelLayout& layout : kLayouts) {
    // Halves make ties.
    auto weights = normal_weights(layout, 3);
    for (std::size_t i = 0; i < weights.size(); i += 2)
      weights[i] = 0.5F * std::round(4 * weights[i]);
    const Quantized result = projector()->project(weights, layout);
    const std::vector<float> scales = scales_of(result);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const float scale = scales[i];
      if (scale == 0.0) {
        ASSERT_EQ(result.codes[i], result.levels.nearest(0.0F)) << "weight " << i;
        continue;
      }
      std::vector<float> scaled;
      for (const float level : result.levels.levels()) scaled.push_back(level * scale);
      ASSERT_EQ(result.codes[i], Codebook(scaled).nearest(weights[i])) << "weight " << i;
    }
  }
}

TEST_P(EveryProjector, IsIdempotent) {
  for (const ChannelLayout& layout : kLayouts) {
    const Quantized first = projector()->project(normal_weights(layout, 4), layout);
    const auto once = decoded(first);
    const Quantized again = projector()->project(once, layout);
    if (projector()->levels() == nullptr || has_exact_products(first.levels)) {
      EXPECT_EQ(decoded(again), once);
      EXPECT_EQ(again.squared_error, 0.0);
      continue;
    }
    // A product and a scale are rounded to float: 2^-24 of it each, and the scale's error is least.
    double energy = 0.0;
    for (const double w : once) energy += w * w;
    EXPECT_LE(again.squared_error, 0x1p-46 * energy);
  }
}

TEST_P(EveryProjector, CommutesWithPermutationOfAGroup) {
  for (const ChannelLayout& layout : kLayouts) {
    const auto weights = normal_weights(layout, 5);
    auto permuted = weights;
    std::vector<std::size_t> from(weights.size());
    Random random(6);
    for (std::int64_t channel = 0; channel < layout.channels; ++channel) {
      const auto all = members(layout, channel);
      const std::size_t run =
          group_of(GetParam()) > 0 ? static_cast<std::size_t>(group_of(GetParam())) : all.size();
      for (std::size_t begin = 0; begin < all.size(); begin += run) {
        const auto group = std::span(all).subspan(begin, std::min(run, all.size() - begin));
        std::vector<std::size_t> shuffled(group.begin(), group.end());
        random.shuffle(std::span(shuffled));
        for (std::size_t i = 0; i < group.size(); ++i) from[group[i]] = shuffled[i];
      }
    }
    for (std::size_t i = 0; i < weights.size(); ++i) permuted[i] = weights[from[i]];
    const Quantized one = projector()->project(weights, layout);
    const Quantized other = projector()->project(permuted, layout);
    // Sums of normal floats are exact in double: 24 bits, 12 more for their number and 14 for the
    // range of all but the smallest.
    EXPECT_EQ(one.scales, other.scales);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      ASSERT_EQ(other.codes[i], one.codes[from[i]]) << "weight " << i;
    }
  }
}

TEST_P(EverySymmetricProjector, CommutesWithNegationButForZeros) {
  for (const ChannelLayout& layout : kLayouts) {
    auto weights = normal_weights(layout, 7);
    if (weights.size() > 1) weights[0] = 0.0F;
    const Quantized one = projector()->project(weights, layout);
    for (float& w : weights) w = -w;
    const Quantized other = projector()->project(weights, layout);
    EXPECT_EQ(one.scales, other.scales);
    EXPECT_EQ(one.squared_error, other.squared_error);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      // Zero has one code, even where the levels are +1 and -1.
      const int mirrored = weights[i] == 0.0F ? one.codes[i] : one.levels.size() - 1 - one.codes[i];
      ASSERT_EQ(other.codes[i], mirrored) << "weight " << i;
    }
  }
}

TEST_P(EveryScaledProjector, CommutesWithPowersOfTwo) {
  for (const ChannelLayout& layout : kLayouts) {
    const auto weights = normal_weights(layout, 8);
    const Quantized one = projector()->project(weights, layout);
    for (const int exponent : {-60, -1, 1, 100}) {
      auto scaled = weights;
      for (float& w : scaled) w = std::ldexp(w, exponent);
      const Quantized other = projector()->project(scaled, layout);
      EXPECT_EQ(other.codes, one.codes) << "2^" << exponent;
      for (std::size_t i = 0; i < one.scales.size(); ++i) {
        EXPECT_EQ(other.scales[i], std::ldexp(one.scales[i], exponent));
      }
      EXPECT_EQ(other.squared_error, std::ldexp(one.squared_error, 2 * exponent));
    }
  }
}

TEST_P(EveryChannelProjector, TreatsEachChannelAsATensorOfItsOwn) {
  for (const ChannelLayout& layout : kLayouts) {
    const auto weights = normal_weights(layout, 9);
    const Quantized whole = projector()->project(weights, layout);
    const auto alone = parse_projector(GetParam().substr(0, GetParam().find('/')));
    double error = 0.0;
    for (std::int64_t channel = 0; channel < layout.channels; ++channel) {
      const auto group = members(layout, channel);
      std::vector<float> part;
      std::vector<Code> codes;
      for (const std::size_t i : group) {
        part.push_back(weights[i]);
        codes.push_back(whole.codes[i]);
      }
      const Quantized one = alone->project(part, {1, 1, static_cast<std::int64_t>(part.size())});
      EXPECT_EQ(one.scales[0], whole.scales[static_cast<std::size_t>(channel)]);
      EXPECT_EQ(one.codes, codes);
      error += one.squared_error;
    }
    EXPECT_EQ(whole.squared_error, error);
  }
}

TEST_P(EveryGroupProjector, TreatsEachGroupAsATensorOfItsOwn) {
  for (const ChannelLayout& layout : kLayouts) {
    const auto weights = normal_weights(layout, 9);
    const Quantized whole = projector()->project(weights, layout);
    const auto alone = parse_projector(GetParam().substr(0, GetParam().find('/')));
    const auto run = static_cast<std::size_t>(group_of(GetParam()));
    std::size_t scale = 0;
    for (std::int64_t channel = 0; channel < layout.channels; ++channel) {
      const auto all = members(layout, channel);
      for (std::size_t begin = 0; begin < all.size(); begin += run, ++scale) {
        std::vector<float> part;
        std::vector<Code> codes;
        for (std::size_t i = begin; i < std::min(begin + run, all.size()); ++i) {
          part.push_back(weights[all[i]]);
          codes.push_back(whole.codes[all[i]]);
        }
        const Quantized one = alone->project(part, {1, 1, static_cast<std::int64_t>(part.size())});
        ASSERT_EQ(one.scales[0], whole.scales.at(scale));
        ASSERT_EQ(one.codes, codes);
      }
    }
    EXPECT_EQ(scale, whole.scales.size());
  }
}

// The alternation of Leng et al., "Extremely Low Bit Neural Network" (AAAI 2018), section 3.2, from
// the mean magnitude.
double alternation_error(const std::vector<float>& weights, const Codebook& levels) {
  double scale = 0.0;
  double energy = 0.0;
  for (const double w : weights) {
    scale += std::abs(w) / static_cast<double>(weights.size());
    energy += w * w;
  }
  double error = energy;
  for (int i = 0; i < 20 && scale > 0.0; ++i) {
    double correlation = 0.0;
    double squares = 0.0;
    for (const double w : weights) {
      const double level = levels[levels.nearest(static_cast<float>(w / scale))];
      correlation += w * level;
      squares += level * level;
    }
    if (squares == 0.0) break;
    scale = correlation / squares;
    error = energy - correlation * correlation / squares;
  }
  return error;
}

TEST_P(EveryScaledProjector, IsNeverWorseThanAlternation) {
  int better = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const ChannelLayout layout{1, 1, 27};
    const auto weights = normal_weights(layout, 100 + seed);
    double energy = 0.0;
    for (const double w : weights) energy += w * w;
    const Quantized result = projector()->project(weights, layout);
    const double alternation = alternation_error(weights, result.levels);
    // The scale is rounded to float: 2^-48 of the energy. So are products, if not exact, each by up
    // to 2^-24 of it, times twice the gap to the weight.
    const double rounding = has_exact_products(result.levels) ? 0x1p-47 : 0x1p-23;
    EXPECT_LE(result.squared_error, alternation + rounding * energy);
    better += result.squared_error < 0.999 * alternation ? 1 : 0;
  }
  // Binary alternation is exact; the others get stuck in a fifth of all cases and more.
  if (projector()->size() > 2) {
    EXPECT_GE(better, 5);
  } else {
    EXPECT_EQ(better, 0);
  }
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
INSTANTIATE_TEST_SUITE_P(Sets,
                         EveryChannelProjector,
                         testing::ValuesIn(sets({"/channel"})),
                         readable);
INSTANTIATE_TEST_SUITE_P(
    Sets,
    EverySymmetricProjector,
    testing::ValuesIn(with_suffixes(kSymmetric, {"/none", "/tensor", "/channel", "/group:7"})),
    readable);
INSTANTIATE_TEST_SUITE_P(Sets,
                         EveryGroupProjector,
                         testing::ValuesIn(sets({"/group:7", "/group:1", "/group:64"})),
                         readable);

}  // namespace
}  // namespace lastbit
