#pragma once

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/quant/projector.h"

namespace lastbit {

inline const std::vector<ChannelLayout> kLayouts = {
    {1, 4, 9}, {3, 4, 5}, {12, 5, 1}, {1, 1, 40}, {2, 600, 1}, {1, 2, 700}, {1, 1, 1}};

inline std::vector<float> normal_weights(const ChannelLayout& layout, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> weights(static_cast<std::size_t>(layout.size()));
  for (float& w : weights) w = static_cast<float>(random.normal());
  return weights;
}

inline std::vector<float> decoded(const Quantized& quantized) {
  std::vector<float> weights(quantized.codes.size());
  decode(quantized, weights);
  return weights;
}

// Products with powers of two are exact in float, so that a decoded weight is a level exactly.
inline bool has_exact_products(const Codebook& levels) {
  int exponent = 0;
  return std::all_of(levels.levels().begin(), levels.levels().end(), [&](float level) {
    return level == 0.0F || std::abs(std::frexp(level, &exponent)) == 0.5F;
  });
}

inline const std::vector<std::string> kSymmetric = {"binary",
                                                    "ternary",
                                                    "shift:1",
                                                    "shift:2",
                                                    "shift:6",
                                                    "pow2:1",
                                                    "pow2:3",
                                                    "uniform:2",
                                                    "uniform:4",
                                                    "uniform:6"};
inline const std::vector<std::string> kOthers = {
    "levels:-1,0,0.5,1", "levels:-2,-0.5,0.25", "levels:0.5,1,3"};

inline std::vector<std::string> with_suffixes(const std::vector<std::string>& forms,
                                              const std::vector<std::string>& suffixes) {
  std::vector<std::string> result;
  for (const std::string& form : forms) {
    for (const std::string& suffix : suffixes) result.push_back(form + suffix);
  }
  return result;
}

inline std::vector<std::string> sets(const std::vector<std::string>& suffixes,
                                     const std::vector<std::string>& more = {}) {
  std::vector<std::string> result = with_suffixes(kSymmetric, suffixes);
  const std::vector<std::string> others = with_suffixes(kOthers, suffixes);
  result.insert(result.end(), others.begin(), others.end());
  result.insert(result.end(), more.begin(), more.end());
  return result;
}

inline std::string readable(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) {
    if (c == '-') c = 'm';
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

class EveryProjector : public testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<const Projector> projector() const { return parse_projector(GetParam()); }
};

class EveryScaledProjector : public EveryProjector {};

}  // namespace lastbit
