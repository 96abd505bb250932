// Every set against exhaustive search, with importance and without, by tensor, channel and group.

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/quant/projector.h"

namespace lastbit {
namespace {

struct Pair {
  double w;
  double h;
};

double error_at(const std::vector<Pair>& group, const std::vector<double>& levels) {
  double error = 0.0;
  for (const auto& [w, h] : group) {
    double least = std::numeric_limits<double>::infinity();
    for (const double level : levels) least = std::min(least, (w - level) * (w - level));
    error += h * least;
  }
  return error;
}

// The least error over all code vectors, each with its own best scale, which is not negative.
double least_scaled_error(const std::vector<Pair>& group, const Codebook& levels) {
  double energy = 0.0;
  for (const auto& [w, h] : group) energy += h * w * w;
  double most = 0.0;
  std::vector<int> codes(group.size(), 0);
  while (true) {
    double correlation = 0.0;
    double squares = 0.0;
    for (std::size_t i = 0; i < group.size(); ++i) {
      const double level = levels[static_cast<Code>(codes[i])];
      correlation += group[i].h * level * group[i].w;
      squares += group[i].h * level * level;
    }
    if (correlation > 0.0) most = std::max(most, correlation * correlation / squares);
    std::size_t digit = 0;
    while (digit < codes.size() && ++codes[digit] == levels.size()) codes[digit++] = 0;
    if (digit == codes.size()) return energy - most;
  }
}

// The least error over all ways to give each weight one of `clusters` means.
double least_clustered_error(const std::vector<Pair>& group, int clusters) {
  double least = std::numeric_limits<double>::infinity();
  std::vector<int> codes(group.size(), 0);
  while (true) {
    double error = 0.0;
    for (int k = 0; k < clusters; ++k) {
      double mass = 0.0;
      double mean = 0.0;
      for (std::size_t i = 0; i < group.size(); ++i) {
        if (codes[i] != k || group[i].h == 0.0) continue;
        mass += group[i].h;
        mean += (group[i].w - mean) * group[i].h / mass;
      }
      for (std::size_t i = 0; i < group.size(); ++i) {
        if (codes[i] == k) error += group[i].h * (group[i].w - mean) * (group[i].w - mean);
      }
    }
    least = std::min(least, error);
    std::size_t digit = 0;
    while (digit < codes.size() && ++codes[digit] == clusters) codes[digit++] = 0;
    if (digit == codes.size()) return least;
  }
}

double least_error(std::vector<Pair> group, const Projector& set) {
  // Where no weight counts, all count.
  if (std::all_of(group.begin(), group.end(), [](const Pair& pair) { return pair.h == 0.0; })) {
    for (Pair& pair : group) pair.h = 1.0;
  }
  if (set.levels() == nullptr) return least_clustered_error(group, set.size());
  const auto levels = set.levels()->levels();
  if (set.granularity() == Granularity::kNone) {
    return error_at(group, std::vector<double>(levels.begin(), levels.end()));
  }
  return least_scaled_error(group, *set.levels());
}

// The scale index of each weight, written out anew.
std::vector<std::size_t> groups_of(const Quantized& q) {
  std::vector<std::size_t> groups;
  const ChannelLayout& layout = q.layout;
  for (std::int64_t b = 0; b < layout.before; ++b) {
    for (std::int64_t c = 0; c < layout.channels; ++c) {
      for (std::int64_t a = 0; a < layout.after; ++a) {
        std::int64_t group = 0;
        if (q.per == Granularity::kChannel) group = c;
        if (q.per == Granularity::kGroup) {
          const std::int64_t in_channel = layout.before * layout.after;
          group = c * ((in_channel + q.group - 1) / q.group) + (b * layout.after + a) / q.group;
        }
        groups.push_back(static_cast<std::size_t>(group));
      }
    }
  }
  return groups;
}

struct Sample {
  std::vector<float> weights;
  std::vector<float> importance;
};

// Normal weights; few distinct values with zeros; of widely different sizes.
Sample sample(std::size_t count, bool weighted, unsigned seed) {
  Random random(seed, count);
  Sample result;
  for (std::size_t i = 0; i < count; ++i) {
    const double x = random.normal();
    const double few = 0.5 * (static_cast<double>(random.below(9)) - 4.0);
    const double w = seed % 3 == 0 ? x : seed % 3 == 1 ? few : x * x * x * x * x;
    result.weights.push_back(static_cast<float>(w));
    if (!weighted) continue;
    // Some count for nothing.
    const double h = random.below(4) == 0 ? 0.0 : std::abs(random.normal());
    result.importance.push_back(static_cast<float>(h));
  }
  return result;
}

struct Case {
  std::string form;
  std::size_t most_weights;  // of one group
};

class BruteForce : public testing::TestWithParam<Case> {
 protected:
  static void expect_least(const std::string& name,
                           const ChannelLayout& layout,
                           bool weighted,
                           unsigned seed) {
    SCOPED_TRACE(testing::Message()
                 << name << ", " << layout.before << " x " << layout.channels << " x "
                 << layout.after << ", weighted " << weighted << ", seed " << seed);
    const auto set = parse_projector(name);
    const Sample data = sample(static_cast<std::size_t>(layout.size()), weighted, seed);
    const Quantized result =
        set->project(data.weights, layout, {.importance = data.importance, .start = nullptr});
    std::vector<float> decoded(data.weights.size());
    decode(result, decoded);
    const std::vector<std::size_t> groups = groups_of(result);
    for (std::size_t g = 0; g < result.scales.size(); ++g) {
      std::vector<Pair> group;
      double energy = 0.0;
      double error = 0.0;
      double all = 0.0;
      for (std::size_t i = 0; i < groups.size(); ++i) {
        if (groups[i] == g && weighted) all += data.importance[i];
      }
      for (std::size_t i = 0; i < groups.size(); ++i) {
        if (groups[i] != g) continue;
        const double w = data.weights[i];
        const double h = all > 0.0 ? data.importance[i] : 1.0;
        group.push_back({w, h});
        energy += h * w * w;
        error += h * (w - decoded[i]) * (w - decoded[i]);
        // What counts for nothing has its nearest level all the same.
        for (const float level : result.levels.levels()) {
          const double other = level * result.scales[g];
          ASSERT_LE(std::abs(w - decoded[i]), std::abs(w - other) * (1.0 + 1e-15));
        }
      }
      // The scale or level is rounded to float: 2^-48 of the energy. Where products are rounded
      // too, the error changes by at most 2^-24 of them times twice the gaps, and the
      // products are at most twice as large as the weights.
      int exponent = 0;
      const bool exact =
          set->levels() == nullptr ||
          std::all_of(
              result.levels.levels().begin(), result.levels.levels().end(), [&](float level) {
                const float digits = std::abs(std::frexp(level, &exponent));
                return level == 0.0F || digits == 0.5F;
              });
      const double least = least_error(group, *set);
      const double rounding =
          exact ? 0x1p-47 * energy
                : 0x1p-45 * energy + 0x1p-22 * std::sqrt(energy * std::max(0.0, least));
      ASSERT_NEAR(error, least, rounding + 1e-15 * least) << "group " << g;
    }
  }
};

TEST_P(BruteForce, FindsNothingNearer) {
  const auto& [form, most] = GetParam();
  const bool learned = parse_projector(form)->levels() == nullptr;
  for (std::size_t count = 1; count <= most; ++count) {
    const auto size = static_cast<std::int64_t>(count);
    for (unsigned seed = 0; seed < 30; ++seed) {
      for (const bool weighted : {false, true}) {
        expect_least(form + "/none", {1, 1, size}, weighted, seed);
        if (!learned) expect_least(form + "/tensor", {1, 1, size}, weighted, seed);
      }
    }
  }
}

TEST_P(BruteForce, FindsNothingNearerByChannelAndGroup) {
  const std::string& form = GetParam().form;
  if (parse_projector(form)->levels() == nullptr) return;  // one codebook for all channels
  for (unsigned seed = 0; seed < 12; ++seed) {
    for (const bool weighted : {false, true}) {
      expect_least(form + "/channel", {1, 3, 3}, weighted, seed);
      expect_least(form + "/channel", {3, 2, 1}, weighted, seed);
      expect_least(form + "/group:3", {1, 2, 7}, weighted, seed);
      expect_least(form + "/group:2", {3, 2, 1}, weighted, seed);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sets,
                         BruteForce,
                         testing::Values(Case{"binary", 9},
                                         Case{"ternary", 7},
                                         Case{"shift:1", 5},
                                         Case{"shift:2", 4},
                                         Case{"pow2:2", 4},
                                         Case{"uniform:2", 6},
                                         Case{"levels:-1,0,0.5,1", 6},
                                         Case{"levels:-2,-0.5,0.25", 7},
                                         Case{"levels:0.5,1,3", 7},
                                         Case{"levels:-3,-1", 8},
                                         Case{"levels:-1,2,5", 7},
                                         Case{"kmeans:2", 9},
                                         Case{"kmeans:3", 7},
                                         Case{"kmeans:4", 6}),
                         [](const auto& instance) {
                           std::string name = instance.param.form;
                           for (char& c : name) {
                             if (c == '-') c = 'm';
                             if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
                           }
                           return name;
                         });

}  // namespace
}  // namespace lastbit
