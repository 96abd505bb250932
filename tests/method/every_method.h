#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/method/registry.h"
#include "method_names.h"
#include "support.h"

// The properties that every method must have, for INSTANTIATE_TEST_SUITE_P with any rows, whether
// the table has them or not.

namespace lastbit {

// Its levels are its own: two numbers that it learns, and 0.
inline bool learns_levels(std::string_view method) { return method == "ttq"; }

// What every method owes the trainer, whatever it does.
class EveryMethod : public testing::TestWithParam<MethodInfo> {
 protected:
  static constexpr std::int64_t kSize = 60;

  static std::unique_ptr<Method> make() { return make_method(GetParam()); }

  static bool takes(std::string_view set) {
    try {
      make()->begin(one_layer({1.0F, 2.0F}, set));
      return true;
    } catch (const InputError&) {
      return false;
    }
  }

  // The first of `sets` that the method takes.
  static std::shared_ptr<const Projector> taken(const std::vector<std::string_view>& sets) {
    const auto first = std::find_if(sets.begin(), sets.end(), takes);
    return parse_projector(first == sets.end() ? sets.front() : *first);
  }

  // Three layers, one after another, of different sets where the method takes them.
  static Weights make_weights(std::uint64_t seed) {
    Weights weights;
    weights.value = tensor_of(random_values(kSize, seed));
    weights.gradient = torch::zeros({kSize});
    weights.layers = {{"a", 0, {1, 4, 6}, taken({"ternary/channel", "binary/channel", "ternary"})},
                      {"b", 24, {4, 4, 1}, taken({"binary", "ternary"})},
                      {"c", 40, {1, 1, 20}, taken({"shift:2", "uniform:2", "ternary", "binary"})}};
    return weights;
  }

  static void run(Method& method, Weights& weights, Progress& at, int rounds) {
    run_rounds(method, weights, at, rounds, tensor_of(random_values(kSize, 99)));
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
