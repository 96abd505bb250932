#include "lastbit/method/mirror.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "support.h"

namespace lastbit {
namespace {

constexpr double kEta = 0.1;

std::unique_ptr<Method> make(std::string_view name, const std::string& beta) {
  std::map<std::string, std::string> given;
  if (name != "picm") given["beta"] = beta;
  return make_method(find_method(name), given);
}

Progress start(std::int64_t rounds = 4) {
  return {.total_steps = rounds, .total_rounds = rounds, .learning_rate = kEta};
}

// The weights that the network sees after steps of one round each along constant slopes.
std::vector<float> after(Method& method,
                         Weights& weights,
                         const std::vector<std::vector<float>>& slopes) {
  Progress at = start(static_cast<std::int64_t>(slopes.size()) + 1);
  for (const std::vector<float>& slope : slopes) {
    descend(
        method, weights, [&](const torch::Tensor&) { return tensor_of(slope); }, at);
    method.end_round(at);
    ++at.round;
  }
  return vector_of(method.seen(at));
}

std::vector<float> after(std::string_view name,
                         const std::string& beta,
                         std::string_view set,
                         const std::vector<float>& latent,
                         const std::vector<std::vector<float>>& slopes) {
  const auto method = make(name, beta);
  Weights weights = one_layer(latent, set);
  method->begin(weights);
  return after(*method, weights, slopes);
}

// The latent weight, its step, its product with beta and the map are rounded; values are below 2
// and slopes below beta, so a step costs no more than this.
double tolerance(double beta) { return (1.0 + beta) * 16.0 * kRounding; }

TEST(MdTanh, TakesItsKnownSteps) {
  const std::array<double, 3> w = {.3, -.8, .05};
  const std::vector<float> g = {.5F, -1.2F, 2.0F};
  const std::map<double, std::array<double, 3>> known = {
      {1.0, {.253846147345, -.752464548038, -.148844229094}},
      {4.0, {.109083815691, -.550161084661, -.635124056632}}};
  for (const auto& [beta, expected] : known) {
    std::vector<float> latent;
    for (const double value : w) latent.push_back(static_cast<float>(std::atanh(value) / beta));
    const std::vector<float> seen =
        after("md-tanh", std::to_string(beta), "binary/none", latent, {g});
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(seen[i], expected[i], tolerance(beta)) << i;
  }
}

TEST(MdTanh, IsAStepInTheHyperbolicTangentsArgument) {
  const std::vector<float> latent = random_values(200, 1);
  const std::vector<std::vector<float>> slopes = {
      random_values(200, 2), random_values(200, 3), random_values(200, 4)};
  for (const double beta : {0.5, 1.0, 3.0}) {
    const std::vector<float> seen =
        after("md-tanh", std::to_string(beta), "binary/none", latent, slopes);
    for (std::size_t i = 0; i < latent.size(); ++i) {
      double w = std::tanh(beta * latent[i]);
      for (const auto& slope : slopes) w = std::tanh(std::atanh(w) - beta * kEta * slope[i]);
      ASSERT_NEAR(seen[i], w, 3.0 * tolerance(beta)) << i << ", " << beta;
    }
  }
}

TEST(MdTanh, KeepsTheWeightAndTheStableFormTheLatentAsBetaGrows) {
  const std::vector<std::vector<float>> slopes(3, {0.2F});
  EXPECT_NEAR(after("md-tanh", "1*2@round", "binary/none", {0.1F}, slopes)[0],
              -.039978680311,
              tolerance(4.0));
  EXPECT_NEAR(after("md-tanh-s", "1*2@round", "binary/none", {0.1F}, slopes)[0],
              .309506921213,
              tolerance(8.0));
}

// Exponentiated gradient on one weight, as the paper has it.
std::vector<double> exponentiated(const std::vector<double>& u,
                                  const std::vector<double>& g,
                                  double rate) {
  std::vector<double> result;
  double total = 0.0;
  for (std::size_t l = 0; l < u.size(); ++l) {
    result.push_back(u[l] * std::exp(-rate * g[l]));
    total += result.back();
  }
  for (double& value : result) value /= total;
  return result;
}

TEST(MdSoftmax, FollowsExponentiatedGradient) {
  // The comparison itself has its known values.
  const std::array<double, 3> known = {.131924638310, .600955909250, .267119452439};
  const std::vector<double> u = exponentiated({.2, .5, .3}, {1.0, -.5, .25}, 4.0 * kEta);
  for (std::size_t l = 0; l < 3; ++l) EXPECT_NEAR(u[l], known[l], 1e-12);

  const std::map<std::string, std::vector<double>> sets = {
      {"binary/none", {-1, 1}},
      {"ternary/none", {-1, 0, 1}},
      {"shift:2/none", {-4, -2, -1, 0, 1, 2, 4}}};
  const std::vector<float> latent = random_values(100, 5);
  const std::vector<std::vector<float>> slopes = {
      random_values(100, 6), random_values(100, 7), random_values(100, 8)};
  for (const auto& [set, q] : sets) {
    const std::vector<float> seen = after("md-softmax", "1*1.5@round", set, latent, slopes);
    const double h = (q.back() - q.front()) / (2.0 * (static_cast<double>(q.size()) - 1.0));
    for (std::size_t i = 0; i < latent.size(); ++i) {
      std::vector<double> simplex;  // the first u: a step from the offsets along the latent weight
      for (const double level : q) simplex.push_back(std::exp(-0.5 * level * level / (h * h)));
      simplex = exponentiated(simplex, q, -latent[i] / (h * h));
      double beta = 1.0;
      for (const auto& slope : slopes) {
        std::vector<double> g;
        for (const double level : q) g.push_back(level * slope[i]);
        simplex = exponentiated(simplex, g, beta * kEta / (h * h));
        beta *= 1.5;
      }
      double w = 0.0;
      for (std::size_t l = 0; l < q.size(); ++l) w += q[l] * simplex[l];
      // Slopes in units of h, on levels up to 4.
      ASSERT_NEAR(seen[i], w, 4.0 * 3.0 * tolerance(beta / (h * h))) << set << ", " << i;
    }
  }
}

TEST(Mirror, BothFormsAreOneWhileBetaIsConstant) {
  const std::vector<float> latent = random_values(100, 9);
  const std::vector<std::vector<float>> slopes = {random_values(100, 10), random_values(100, 11)};
  for (const std::string set : {"binary/none", "ternary/none"}) {
    for (const std::string name : {"md-tanh", "md-softmax"}) {
      EXPECT_EQ(after(name, "2.5", set, latent, slopes),
                after(name + "-s", "2.5", set, latent, slopes));
    }
  }
}

TEST(Mirror, SoftmaxOverTwoLevelsIsTheHyperbolicTangent) {
  const std::vector<float> latent = random_values(100, 12);
  const std::vector<std::vector<float>> slopes = {random_values(100, 13), random_values(100, 14)};
  const std::map<std::string, std::string> pairs = {
      {"md-tanh", "md-softmax"}, {"md-tanh-s", "md-softmax-s"}, {"gd-tanh", "pmf"}};
  for (const auto& [one, other] : pairs) {
    const std::vector<float> a = after(one, "1..3", "binary", latent, slopes);
    const std::vector<float> b = after(other, "1..3", "binary", latent, slopes);
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 4.0 * tolerance(3.0)) << one;
  }
}

// Straight-through BinaryConnect, without clipping.
std::vector<float> straight_through(std::vector<float> v,
                                    const std::vector<std::vector<float>>& slopes) {
  for (const auto& slope : slopes) {
    for (std::size_t i = 0; i < v.size(); ++i) {
      const float w = v[i] >= 0.0F ? 1.0F : -1.0F;
      v[i] -= static_cast<float>(kEta) * (w - slope[i]);
    }
  }
  for (float& value : v) value = value >= 0.0F ? 1.0F : -1.0F;
  return v;
}

// The gradient depends on the weights seen, so that a wrong rounding would show.
TEST(Mirror, WithAHardMapIsStraightThrough) {
  const std::vector<float> latent = random_values(300, 15);
  const std::vector<float> target = random_values(300, 16);
  const std::vector<float> expected =
      straight_through(latent, std::vector<std::vector<float>>(20, target));
  for (const std::string name : {"md-tanh-s", "md-softmax-s", "picm"}) {
    const auto method = make(name, "1e35");
    Weights weights = one_layer(latent, "binary/none");
    method->begin(weights);
    Progress at = start(20);
    for (int step = 0; step < 20; ++step) {
      descend(
          *method, weights, [&](const torch::Tensor& w) { return w - tensor_of(target); }, at);
      method->end_round(at);
    }
    EXPECT_EQ(vector_of(method->seen(at)), expected) << name;
  }
}

double ternary_map(double x, double beta) {
  return 0.5 * (std::tanh(beta * (x + 0.5)) + std::tanh(beta * (x - 0.5)));
}

TEST(KeepTernary, KeepsTheWeight) {
  for (const double beta : {0.5, 1.0, 4.0, 9.0}) {
    for (const double next : {0.5, 1.1, 6.0, 12.0}) {
      for (double x = -0.9; x <= 0.9; x += 0.05) {
        const double kept = keep_ternary(x, beta, next);
        // Double arithmetic, and a map as steep as `next`.
        EXPECT_NEAR(ternary_map(kept, next), ternary_map(x, beta), 1e-14 * (1.0 + next))
            << x << ", " << beta << ", " << next;
      }
    }
  }
}

TEST(KeepTernary, HoldsTheExtremes) {
  for (const double beta : {1e-3, 1.0, 1e3, 1e10, 1e35}) {
    EXPECT_EQ(keep_ternary(0.0, beta, 2.0 * beta), 0.0);
    for (const double x : {1e-30, 1e-3, 0.49, 0.5, 0.51, 1.0, 1e6}) {
      // There and back again. The argument 2 beta x has an error of 1e-16 of it, or of 1.
      const double there = keep_ternary(x, beta, 1.3 * beta);
      ASSERT_TRUE(std::isfinite(there)) << x << ", " << beta;
      ASSERT_EQ(keep_ternary(-x, beta, 1.3 * beta), -there);
      EXPECT_NEAR(keep_ternary(there, 1.3 * beta, beta), x, 1e-14 * (1.0 + x) + 1e-15 / beta)
          << beta;
    }
  }
}

TEST(Mirror, KeepsTheWeightAsBetaGrowsWhateverTheMap) {
  const std::vector<float> latent = random_values(200, 17);
  for (const std::string name : {"md-tanh", "md-softmax"}) {
    for (const std::string set : {"binary", "ternary"}) {
      const auto method = make(name, "1..4");
      Weights weights = one_layer(latent, set);
      method->begin(weights);
      Progress at = start(4);
      const std::vector<float> before = vector_of(method->seen(at));
      at.round = 3;
      method->before_forward(at, 0);
      const std::vector<float> now = vector_of(weights.value);
      for (std::size_t i = 0; i < now.size(); ++i) {
        ASSERT_NEAR(now[i], before[i], 2.0 * tolerance(4.0)) << name << " " << set << " " << i;
      }
    }
  }
}

TEST(Mirror, ProjectsTheLatentWeightsInTheStableFormAndKeepsTheScaleInTheOther) {
  const std::vector<float> latent = random_values(60, 19);
  for (const std::string name : {"md-tanh-s", "md-softmax-s", "gd-tanh", "pmf", "picm"}) {
    const auto method = make(name, "1..4");
    Weights weights = one_layer(latent, "ternary/channel", 3);
    method->begin(weights);
    after(*method, weights, {random_values(60, 20), random_values(60, 21)});
    const Quantized nearest =
        weights.layers[0].set->project(vector_of(weights.value), weights.layers[0].layout);
    EXPECT_EQ(method->deployed().at(0).scales, nearest.scales) << name;
    EXPECT_EQ(method->deployed().at(0).codes, nearest.codes) << name;
  }
  for (const std::string name : {"md-tanh", "md-softmax"}) {
    const auto method = make(name, "1..4");
    Weights weights = one_layer(latent, "ternary/channel", 3);
    method->begin(weights);
    const std::vector<float> scales = method->deployed().at(0).scales;
    after(*method, weights, {random_values(60, 20), random_values(60, 21)});
    EXPECT_EQ(method->deployed().at(0).scales, scales) << name;
  }
}

class EachOfTheFamily : public testing::TestWithParam<std::string> {};

// Zeros, all of them in one channel, the smallest and huge ones.
TEST_P(EachOfTheFamily, HoldsTheExtremes) {
  std::vector<float> values = {
      0.0F, 0.0F, 0.0F, 0.0F, 1e-30F, -1e-30F, 1.0F, 0.0F, -1e15F, 1e15F, 5.0F, 0.0F};
  for (const std::string set : {"binary/channel", "ternary/channel", "binary/none", "ternary"}) {
    for (const std::string beta : {"1", "1e4", "1..1e35", "1e35", "1*1e300@round"}) {
      const auto method = make(GetParam(), beta);
      Weights weights = one_layer(values, set, 3);
      method->begin(weights);
      Progress at = start(6);
      for (int round = 0; round < 6; ++round) {
        descend(
            *method, weights, [](const torch::Tensor& w) { return torch::sin(w + 1.0); }, at);
        const Residuals residuals = method->end_round(at);
        EXPECT_TRUE(std::isfinite(residuals.primal));
        ASSERT_TRUE(torch::isfinite(weights.value).all().item<bool>()) << set << " " << beta;
        ASSERT_TRUE(torch::isfinite(method->seen(at)).all().item<bool>()) << set << " " << beta;
        ++at.round;
      }
    }
  }
}

// Each weight has the scale of its own channel, wherever channels lie.
TEST_P(EachOfTheFamily, SeesInTheEndWhatItDeploys) {
  for (const ChannelLayout layout : {ChannelLayout{1, 3, 20}, {20, 3, 1}, {4, 3, 5}}) {
    Weights weights = one_layer(random_values(60, 18), "ternary/channel");
    weights.layers[0].layout = layout;
    const auto method = make(GetParam(), "1e9");
    method->begin(weights);
    Progress at = start(2);
    method->end_round(at);
    EXPECT_EQ(vector_of(method->seen(at)), decoded(method->deployed().at(0)));
  }
}

TEST_P(EachOfTheFamily, ReachesTheNearestPointOfAQuadratic) {
  const std::vector<float> target = {0.9F, -0.8F, 0.1F, -0.2F, 1.3F, -0.05F, -1.1F, 0.7F};
  const auto method = make(GetParam(), "1..50");
  Weights weights = one_layer(std::vector<float>(8, 0.02F), "ternary/none");
  method->begin(weights);
  Progress at{.total_steps = 2000, .total_rounds = 200, .learning_rate = 0.02};
  for (int round = 0; round < 200; ++round) {
    for (int step = 0; step < 10; ++step) {
      descend(
          *method, weights, [&](const torch::Tensor& w) { return w - tensor_of(target); }, at);
    }
    method->end_round(at);
    ++at.round;
  }
  const std::vector<float> found = decoded(method->deployed().at(0));
  // The signs that the loss asks for; between a level and the next the latent weight may swing.
  for (std::size_t i = 0; i < target.size(); ++i) {
    EXPECT_LT(std::abs(found[i] - target[i]), 1.0F) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Mirror,
    EachOfTheFamily,
    testing::Values("md-tanh", "md-softmax", "md-tanh-s", "md-softmax-s", "gd-tanh", "pmf", "picm"),
    [](const auto& parameter) {
      std::string name = parameter.param;
      for (char& c : name) c = c == '-' ? '_' : c;
      return name;
    });

TEST(GdTanh, MovesByTheGradientOfTheLatentWeight) {
  const auto method = make("gd-tanh", "2");
  Weights weights = one_layer({0.3F, -0.1F}, "binary/none");
  method->begin(weights);
  Progress at = start();
  descend(
      *method, weights, [](const torch::Tensor& w) { return torch::ones_like(w); }, at);
  for (const auto& [latent, index] : {std::pair(0.3, 0), {-0.1, 1}}) {
    const double w = std::tanh(2.0 * latent);
    EXPECT_NEAR(vector_of(weights.value).at(static_cast<std::size_t>(index)),
                latent - kEta * 2.0 * (1.0 - w * w),
                tolerance(2.0));
  }
}

TEST(Mirror, NamesTheLayerWhoseLevelsItCannotTake) {
  for (const std::string name : {"md-tanh", "md-tanh-s", "gd-tanh"}) {
    try {
      make(name, "1")->begin(one_layer({1.0F, 2.0F}, "shift:2"));
      FAIL() << "expected InputError";
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()),
                "[" + name + "] layer 'w' has codebook shift:2/tensor, expected binary or ternary");
    }
  }
}

TEST(Mirror, RefusesASharpnessThatIsNoSchedule) {
  EXPECT_THROW(make("md-tanh", "0"), InputError);
  EXPECT_THROW(make("md-softmax-s", "1..x"), InputError);
  EXPECT_THROW(make("pmf", "-1"), InputError);
  EXPECT_THROW(make_method(find_method("picm"), {{"beta", "1"}}), InputError);
}

}  // namespace
}  // namespace lastbit
