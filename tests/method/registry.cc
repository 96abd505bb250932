#include "lastbit/method/registry.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "support.h"

namespace lastbit {
namespace {

TEST(Methods, AreFoundByTheirNames) {
  ASSERT_FALSE(methods().empty());
  for (const MethodInfo& info : methods()) {
    EXPECT_EQ(&find_method(info.name), &info);
    EXPECT_EQ(make_method(info)->name(), info.name);
    EXPECT_FALSE(info.summary.empty());
  }
}

TEST(Methods, AreListedWhereANameIsUnknown) {
  try {
    find_method("magic");
    FAIL() << "expected InputError";
  } catch (const InputError& error) {
    EXPECT_STREQ(
        error.what(),
        "[method] 'magic' is not known, expected one of: admm, lc, lc-qp, dc, idc, md-tanh-s, "
        "md-softmax-s, md-tanh, md-softmax, gd-tanh, pmf, picm, bc, bwn, twn, ttq, lsq, dorefa, "
        "inq, proxquant, binaryrelax, parq");
  }
  EXPECT_THROW(find_method(""), InputError);
}

TEST(Methods, TakeTheirOptions) {
  const MethodInfo& admm = find_method("admm");
  EXPECT_EQ(make_method(admm)->passes(), 1);
  EXPECT_EQ(make_method(admm, {{"extragradient", "true"}})->passes(), 2);
  EXPECT_THROW(make_method(admm, {{"prediction", "-1"}}), InputError);
}

// A fallback that does not parse, or an option that is read but not declared, would fail here.
TEST(Methods, AcceptTheirPapersOptions) {
  for (const MethodInfo& info : methods()) {
    std::map<std::string, std::string> given;
    for (const Advice& advice : info.paper) {
      for (const OptionInfo& option : info.options) {
        if (option.name == advice.option) given.emplace(advice.option, advice.value);
      }
    }
    EXPECT_NO_THROW(make_method(info, given)) << info.name;
    for (const OptionInfo& option : info.options) EXPECT_FALSE(option.help.empty());
  }
}

TEST(Methods, RefuseOptionsOfOthers) {
  try {
    make_method(find_method("lc"), {{"extragradient", "true"}});
    FAIL() << "expected InputError";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "[method] 'lc' has no option 'extragradient', expected one of: pull, mu");
  }
}

// Its levels are its own: two numbers that it learns, and 0.
bool learns_levels(std::string_view method) { return method == "ttq"; }

// What every method owes the trainer, whatever it does.
class EveryMethod : public testing::TestWithParam<std::string> {
 protected:
  static constexpr std::int64_t kSize = 60;

  static std::unique_ptr<Method> make() { return make_method(find_method(GetParam())); }

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
      if (learns_levels(GetParam())) continue;
      EXPECT_EQ(deployed.levels, *weights.layers[i].set->levels());
      EXPECT_EQ(deployed.per, weights.layers[i].set->granularity());
    }
    run(*method, weights, at, 1);
  }
}

// A point of the set is its own projection.
TEST_P(EveryMethod, DeploysPointsOfTheSets) {
  if (learns_levels(GetParam())) GTEST_SKIP() << "no set holds them";
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
  if (GetParam() == "dc") return;  // its deployed point is that of the reference given to `begin`
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

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const MethodInfo& info : methods()) result.emplace_back(info.name);
  return result;
}

INSTANTIATE_TEST_SUITE_P(Method,
                         EveryMethod,
                         testing::ValuesIn(names()),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace lastbit
