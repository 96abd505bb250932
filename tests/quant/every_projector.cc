// What every set owes its callers, for each granularity.

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/base/text.h"
#include "lastbit/quant/projector.h"

namespace lastbit {
namespace {

const std::vector<ChannelLayout> kLayouts = {
    {1, 4, 9}, {3, 4, 5}, {12, 5, 1}, {1, 1, 40}, {2, 600, 1}, {1, 2, 700}, {1, 1, 1}};

std::vector<float> normal_weights(const ChannelLayout& layout, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> weights(static_cast<std::size_t>(layout.size()));
  for (float& w : weights) w = static_cast<float>(random.normal());
  return weights;
}

std::vector<float> decoded(const Quantized& quantized) {
  std::vector<float> weights(quantized.codes.size());
  decode(quantized, weights);
  return weights;
}

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

// Products with powers of two are exact in float, so that a decoded weight is a level exactly.
bool has_exact_products(const Codebook& levels) {
  int exponent = 0;
  return std::all_of(levels.levels().begin(), levels.levels().end(), [&](float level) {
    return level == 0.0F || std::abs(std::frexp(level, &exponent)) == 0.5F;
  });
}

class EveryProjector : public testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<const Projector> projector() const { return parse_projector(GetParam()); }
};

class EveryScaledProjector : public EveryProjector {};
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

const std::vector<std::string> kSymmetric = {"binary",
                                             "ternary",
                                             "shift:1",
                                             "shift:2",
                                             "shift:6",
                                             "pow2:1",
                                             "pow2:3",
                                             "uniform:2",
                                             "uniform:4",
                                             "uniform:6"};
const std::vector<std::string> kOthers = {
    "levels:-1,0,0.5,1", "levels:-2,-0.5,0.25", "levels:0.5,1,3"};

std::vector<std::string> with_suffixes(const std::vector<std::string>& forms,
                                       const std::vector<std::string>& suffixes) {
  std::vector<std::string> result;
  for (const std::string& form : forms) {
    for (const std::string& suffix : suffixes) result.push_back(form + suffix);
  }
  return result;
}

std::vector<std::string> sets(const std::vector<std::string>& suffixes,
                              const std::vector<std::string>& more = {}) {
  std::vector<std::string> result = with_suffixes(kSymmetric, suffixes);
  const std::vector<std::string> others = with_suffixes(kOthers, suffixes);
  result.insert(result.end(), others.begin(), others.end());
  result.insert(result.end(), more.begin(), more.end());
  return result;
}

std::string readable(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) {
    if (c == '-') c = 'm';
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
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
