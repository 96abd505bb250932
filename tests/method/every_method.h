#pragma once

#include <algorithm>
#include <cmath>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/method/registry.h"
#include "support.h"

// The properties that every method must have, for INSTANTIATE_TEST_SUITE_P with any rows, whether
// the table has them or not.

namespace lastbit {

// For GoogleTest, which would print the row's bytes.
inline void PrintTo(const MethodInfo& info, std::ostream* out) { *out << info.name; }

inline std::string test_name(const testing::TestParamInfo<MethodInfo>& parameter) {
  std::string name(parameter.param.name);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// Three sets of which a method can take each.
inline std::vector<std::string> sets_for(std::string_view method) {
  if (method == "bc") return {"binary/channel", "binary", "binary/none"};
  if (method == "bwn") return {"binary/channel", "binary", "binary/channel"};
  if (method == "twn") return {"ternary/channel", "ternary", "ternary/channel"};
  if (method == "ttq") return {"ternary", "ternary", "ternary"};
  if (method == "lsq" || method == "dorefa") return {"uniform:2/channel", "binary", "ternary"};
  if (method == "inq") return {"pow2:2/channel", "binary/none", "shift:2"};
  const bool by_tanh = method == "md-tanh" || method == "md-tanh-s" || method == "gd-tanh";
  return {"ternary/channel", "binary", by_tanh ? "ternary" : "shift:2"};
}

// Its levels are its own: two numbers that it learns, and 0.
inline bool learns_levels(std::string_view method) { return method == "ttq"; }

// What every method owes the trainer, whatever it does.
class EveryMethod : public testing::TestWithParam<MethodInfo> {
 protected:
  static constexpr std::int64_t kSize = 60;

  static std::unique_ptr<Method> make() { return make_method(GetParam()); }

  // Three layers of different sets, one after another; not all methods take all levels.
  static Weights make_weights(std::uint64_t seed) {
    Weights weights;
    weights.value = tensor_of(random_values(kSize, seed));
    weights.gradient = torch::zeros({kSize});
    const std::vector<std::string> sets = sets_for(GetParam().name);
    weights.layers = {{"a", 0, {1, 4, 6}, parse_projector(sets[0])},
                      {"b", 24, {4, 4, 1}, parse_projector(sets[1])},
                      {"c", 40, {1, 1, 20}, parse_projector(sets[2])}};
    return weights;
  }

  // Rounds of three steps down 1/2 ||w - t||^2.
  static void run(Method& method, Weights& weights, Progress& at, int rounds) {
    const torch::Tensor target = tensor_of(random_values(kSize, 99));
    for (int round = 0; round < rounds; ++round) {
      for (int step = 0; step < 3; ++step) {
        descend(
            method, weights, [&](const torch::Tensor& w) { return w - target; }, at);
      }
      method.end_round(at);
      ++at.round;
    }
  }

  static Progress start() { return {.total_steps = 18, .total_rounds = 6, .learning_rate = 0.05}; }
};

TEST_P(EveryMethod, DeploysOneTensorOfEachLayersSizeFromTheStart) {
  const auto method = make();
  Weights weights = make_weights(1);
  method->begin(weights);
  Progress at = start();
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(method->deployed().size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
      const Quantized& deployed = method->deployed()[i];
      EXPECT_EQ(deployed.layout, weights.layers[i].layout);
      EXPECT_EQ(deployed.codes.size(), static_cast<std::size_t>(deployed.layout.size()));
      if (learns_levels(GetParam().name)) continue;
      EXPECT_EQ(deployed.levels, *weights.layers[i].set->levels());
      EXPECT_EQ(deployed.per, weights.layers[i].set->granularity());
    }
    run(*method, weights, at, 1);
  }
}

// A point of the set is its own projection.
TEST_P(EveryMethod, DeploysPointsOfTheSets) {
  if (learns_levels(GetParam().name)) GTEST_SKIP() << "no set holds them";
  const auto method = make();
  Weights weights = make_weights(2);
  method->begin(weights);
  Progress at = start();
  run(*method, weights, at, 3);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::vector<float> point = decoded(method->deployed()[i]);
    const ConstrainedWeight& layer = weights.layers[i];
    EXPECT_EQ(decoded(layer.set->project(point, layer.layout)), point);
  }
}

TEST_P(EveryMethod, LeavesItsStartAlone) {
  const auto method = make();
  Weights weights = make_weights(3);
  method->begin(weights);
  EXPECT_EQ(vector_of(weights.value), random_values(kSize, 3));
  EXPECT_GE(method->passes(), 1);
}

TEST_P(EveryMethod, TellsFiniteResidualsThatAreNotNegative) {
  const auto method = make();
  Weights weights = make_weights(4);
  method->begin(weights);
  Progress at = start();
  run(*method, weights, at, 2);
  const Residuals residuals = method->end_round(at);
  for (const double figure :
       {residuals.primal, residuals.dual, residuals.flipped, residuals.penalty}) {
    EXPECT_TRUE(std::isfinite(figure));
    EXPECT_GE(figure, 0.0);
  }
  EXPECT_LE(residuals.flipped, 1.0);
}

TEST_P(EveryMethod, GoesOnFromItsStateBitForBit) {
  const auto method = make();
  Weights weights = make_weights(5);
  method->begin(weights);
  Progress at = start();
  run(*method, weights, at, 3);
  const auto state = method->state();
  const torch::Tensor saved = weights.value.clone();
  const Progress saved_at = at;
  run(*method, weights, at, 3);

  const auto resumed = make();
  Weights other = make_weights(6);
  resumed->begin(other);
  other.value.copy_(saved);
  resumed->load(state);
  Progress other_at = saved_at;
  run(*resumed, other, other_at, 3);
  EXPECT_EQ(vector_of(other.value), vector_of(weights.value));
  if (GetParam().name == "dc")
    return;  // its deployed point is that of the reference given to `begin`
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(resumed->deployed()[i].codes, method->deployed()[i].codes);
    EXPECT_EQ(resumed->deployed()[i].scales, method->deployed()[i].scales);
  }
}

TEST_P(EveryMethod, TakesWeightsWithoutLayers) {
  const auto method = make();
  Weights none{.value = torch::empty({0}), .gradient = torch::empty({0}), .layers = {}};
  method->begin(none);
  Progress at = start();
  descend(
      *method, none, [](const torch::Tensor& w) { return w; }, at);
  EXPECT_EQ(method->end_round(at).flipped, 0.0);
  EXPECT_TRUE(method->deployed().empty());
}

}  // namespace lastbit
