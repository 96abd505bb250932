#include "lastbit/method/straight_through.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/method/registry.h"
#include "support.h"

namespace lastbit {
namespace {

using Given = std::map<std::string, std::string>;

// V of the projections' golden vectors: mean |V| = 8.44 / 12.
const std::vector<float> kV = {
    0.9F, -0.05F, 0.31F, -1.7F, 0.42F, 0.0F, -0.66F, 2.4F, -0.18F, 0.77F, -0.93F, 0.12F};
constexpr double kMean = 8.44 / 12.0;

std::unique_ptr<Method> make(const char* name, const Given& given = {}) {
  return make_method(find_method(name), given);
}

std::string refusal(const char* method, const char* set, const Given& given = {}) {
  Weights weights = one_layer(kV, set);
  try {
    make(method, given)->begin(weights);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

// What the network sees of the latent weights.
std::vector<float> seen(Method& method, Weights& weights) {
  const Progress at{.total_steps = 10, .learning_rate = 0.0};
  method.before_forward(at, 0);
  const std::vector<float> result = vector_of(weights.value);
  weights.gradient.zero_();
  method.after_backward(at, 0);
  return result;
}

// One step with the gradient `slope`, whatever the weights.
void step(Method& method, Weights& weights, const std::vector<float>& slope, double rate) {
  Progress at{.total_steps = 10, .learning_rate = rate};
  descend(
      method, weights, [&](const torch::Tensor&) { return tensor_of(slope); }, at);
}

void expect_near(const std::vector<float>& result,
                 const std::vector<double>& expected,
                 double roundings = 4.0) {
  ASSERT_EQ(result.size(), expected.size());
  for (std::size_t i = 0; i < result.size(); ++i) {
    EXPECT_NEAR(
        result[i], expected[i], roundings * kRounding * std::max(1.0, std::abs(expected[i])))
        << i;
  }
}

TEST(BinaryConnect, ShowsSignsAndMovesTheLatentWeightsByTheGradientThere) {
  const auto bc = make("bc");
  Weights weights = one_layer({0.3F, -0.2F, 0.9F, -0.95F, 0.0F}, "binary/none");
  bc->begin(weights);
  EXPECT_EQ(seen(*bc, weights), (std::vector<float>{1, -1, 1, -1, 1}));
  // The latent weights are clipped to [-1, 1].
  step(*bc, weights, {1, 1, -1, 1, 5}, 0.5);
  expect_near(vector_of(weights.value), {-0.2, -0.7, 1.0, -1.0, -1.0});
}

TEST(BinaryConnect, TakesTheScaleOfTheReferenceAndKeepsIt) {
  const auto bc = make("bc");
  Weights weights = one_layer(kV, "binary");
  bc->begin(weights);
  const auto scale = static_cast<float>(kMean);
  step(*bc, weights, std::vector<float>(12, -0.25F), 1.0);
  for (const float v : vector_of(weights.value)) EXPECT_LE(std::abs(v), scale);
  bc->end_round({});
  EXPECT_FLOAT_EQ(bc->deployed()[0].scales[0], scale);
  for (const float w : seen(*bc, weights)) EXPECT_FLOAT_EQ(std::abs(w), scale);
}

TEST(BinaryConnect, DoesNotClipWhereNotAsked) {
  const auto bc = make("bc", {{"clip", "false"}});
  Weights weights = one_layer({0.5F, -0.5F}, "binary/none");
  bc->begin(weights);
  step(*bc, weights, {-3.0F, 0.0F}, 1.0);
  EXPECT_EQ(vector_of(weights.value), (std::vector<float>{3.5F, -0.5F}));
}

TEST(BinaryConnect, DrawsSignsWithThePapersProbability) {
  constexpr std::size_t kCount = 40000;
  std::vector<float> values(kCount);
  // Quarters of latent weights -1, -0.5, 0.2 and 1.
  const std::vector<double> kinds = {-1.0, -0.5, 0.2, 1.0};
  for (std::size_t i = 0; i < kCount; ++i) values[i] = static_cast<float>(kinds[i % 4]);
  const auto bc = make("bc", {{"stochastic", "true"}, {"draw-seed", "3"}});
  Weights weights = one_layer(values, "binary/none");
  bc->begin(weights);
  const std::vector<float> first = seen(*bc, weights);
  std::vector<double> positive(4, 0.0);
  for (std::size_t i = 0; i < kCount; ++i) positive[i % 4] += first[i] > 0.0F ? 1.0 : 0.0;
  for (std::size_t k = 0; k < 4; ++k) {
    const double p = 0.5 * (kinds[k] + 1.0);
    const double trials = kCount / 4;
    // Six deviations of a binomial; none at all where the sign is certain.
    EXPECT_NEAR(positive[k] / trials, p, 6.0 * std::sqrt(p * (1.0 - p) / trials)) << kinds[k];
  }
  EXPECT_NE(seen(*bc, weights), first) << "each pass draws anew";
  // Outside of training the signs stand for the weights.
  const std::vector<float> signs = vector_of(bc->seen({}));
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(signs[i], kinds[i] < 0.0 ? -1.0F : 1.0F);
}

TEST(BinaryConnect, GoesOnWithTheSameDraws) {
  const Given given = {{"stochastic", "true"}};
  const auto bc = make("bc", given);
  Weights weights = one_layer(random_values(100, 1), "binary");
  bc->begin(weights);
  seen(*bc, weights);
  const auto state = bc->state();
  const auto resumed = make("bc", given);
  Weights other = one_layer(random_values(100, 2), "binary");
  resumed->begin(other);
  other.value.copy_(weights.value);
  resumed->load(state);
  resumed->seen({});  // draws nothing
  EXPECT_EQ(seen(*resumed, other), seen(*bc, weights));
}

TEST(BinaryWeightNetwork, ShowsSignsTimesTheMeanMagnitude) {
  const auto bwn = make("bwn");
  Weights weights = one_layer(kV, "binary");
  bwn->begin(weights);
  const std::vector<float> w = seen(*bwn, weights);
  for (std::size_t i = 0; i < kV.size(); ++i) {
    EXPECT_NEAR(w[i], kV[i] < 0.0F ? -kMean : kMean, 12 * kRounding) << i;
  }
}

TEST(BinaryWeightNetwork, ScalesTheGradientByThePapersEquation) {
  const auto bwn = make("bwn", {{"gradient", "scaled"}});
  Weights weights = one_layer({0.5F, -1.5F, -0.75F, 1.0F}, "binary", 2);
  weights.layers[0].set = parse_projector("binary/channel");
  bwn->begin(weights);
  step(*bwn, weights, {1, 1, 1, 1}, 1.0);
  // 1/n + a [|v| < 1], n = 2, a = 1 and 0.875
  expect_near(vector_of(weights.value), {0.5 - 1.5, -1.5 - 0.5, -0.75 - 1.375, 1.0 - 0.5});
}

TEST(TernaryWeightNetwork, FollowsItsClosedForm) {
  const auto twn = make("twn");
  Weights weights = one_layer(kV, "ternary");
  twn->begin(weights);
  // d = 0.7 mean |V| = 0.4923; a = mean of 0.9, 1.7, 0.66, 2.4, 0.77, 0.93
  constexpr double kA = 7.36 / 6.0;
  const std::vector<double> expected = {kA, 0, 0, -kA, 0, 0, -kA, kA, 0, kA, -kA, 0};
  expect_near(seen(*twn, weights), expected);
  twn->end_round({.total_steps = 10});
  expect_near(decoded(twn->deployed()[0]), expected);
}

// Standard normal weights: threshold 0.55852, scale 1.18416, 42.4% zeros, error 0.191625 for 0.7.
TEST(TernaryWeightNetwork, HasTheKnownFiguresOnNormalWeights) {
  constexpr std::size_t kCount = 200000;
  const auto twn = make("twn");
  Weights weights = one_layer(random_values(kCount, 21), "ternary");
  twn->begin(weights);
  twn->end_round({.total_steps = 10});
  const Quantized& result = twn->deployed()[0];
  const auto zeros = std::count(result.codes.begin(), result.codes.end(), Code{1});
  const double count = kCount;
  // Six standard errors: a share p of n draws has sqrt(p (1 - p) / n); the scale and the error
  // have deviations below 1 a weight.
  EXPECT_NEAR(static_cast<double>(zeros) / count, 0.424, 0.0005 + 6.0 * std::sqrt(0.25 / count));
  EXPECT_NEAR(result.scales[0], 1.18416, 6.0 / std::sqrt(count));
  EXPECT_NEAR(result.squared_error / count, 0.191625, 6.0 / std::sqrt(count));
}

TEST(TrainedTernary, LearnsBothLevelsAndScalesTheGradientByRegion) {
  const auto ttq = make(
      "ttq", {{"max-share", "0.25"}, {"level-gradient", "sum"}, {"latent-gradient", "scaled"}});
  // d = 0.5, Wp = (2 + 1) / 2, Wn = 0.75
  Weights weights = one_layer({2.0F, 1.0F, -0.75F, 0.5F, -0.5F}, "ternary");
  ttq->begin(weights);
  EXPECT_EQ(seen(*ttq, weights), (std::vector<float>{1.5F, 1.5F, -0.75F, 0, 0}));
  step(*ttq, weights, {1.0F, 0.5F, 2.0F, 3.0F, 4.0F}, 0.125);
  expect_near(vector_of(weights.value),
              {2.0 - 0.125 * 1.5,
               1.0 - 0.125 * 1.5 * 0.5,
               -0.75 - 0.125 * 0.75 * 2.0,
               0.5 - 0.125 * 3.0,
               -0.5 - 0.125 * 4.0});
  ttq->end_round({.total_steps = 10});
  const Quantized& result = ttq->deployed()[0];
  EXPECT_EQ(result.per, Granularity::kNone);
  // dL/dWp = 1 + 0.5; dL/d(-Wn) = 2
  EXPECT_EQ(result.levels, Codebook({-0.75F - 0.25F, 0.0F, 1.5F - 0.1875F}));
}

TEST(TrainedTernary, BalancesTheLevelsGradientAndPassesTheOtherStraight) {
  const auto ttq = make("ttq");
  Weights weights = one_layer({1.0F, -1.0F, 2.0F, -2.0F}, "ternary");
  ttq->begin(weights);
  step(*ttq, weights, {1.0F, 1.0F, 1.0F, 1.0F}, 0.25);
  EXPECT_EQ(vector_of(weights.value), (std::vector<float>{0.75F, -1.25F, 1.75F, -2.25F}));
  ttq->end_round({.total_steps = 10});
  // 2 over the root of 4 weights
  EXPECT_EQ(ttq->deployed()[0].levels, Codebook({-1.75F, 0.0F, 1.25F}));
}

TEST(TrainedTernary, LeavesOutAStepThatWouldEndALevel) {
  const auto ttq = make("ttq", {{"start", "one"}, {"level-gradient", "sum"}});
  Weights weights = one_layer({1.0F, -1.0F}, "ternary");
  ttq->begin(weights);
  step(*ttq, weights, {2.0F, -2.0F}, 0.5);
  ttq->end_round({.total_steps = 10});
  EXPECT_EQ(ttq->deployed()[0].levels, Codebook({-1.0F, 0.0F, 1.0F}));
}

TEST(LearnedStep, MovesItsStepByTheSlopeOfTheRounding) {
  const auto lsq = make("lsq", {{"first-step", "mean"}});
  // s = 2 mean |v| / sqrt(Q) = 2, Q = 1 the largest level of ternary
  Weights weights = one_layer({0.5F, -1.5F, 3.0F, -0.25F, 1.0F, -0.5F, 0.25F, 1.0F}, "ternary");
  lsq->begin(weights);
  EXPECT_EQ(seen(*lsq, weights), (std::vector<float>{0, -2, 2, 0, 2, 0, 0, 2}));
  step(*lsq, weights, std::vector<float>(8, 1.0F), 0.5);
  // The gradient does not reach 3, beyond the range.
  EXPECT_EQ(vector_of(weights.value),
            (std::vector<float>{0.0F, -2.0F, 3.0F, -0.75F, 0.5F, -1.0F, -0.25F, 0.5F}));
  lsq->end_round({.total_steps = 10});
  // dw/ds = q(v/s) - v/s, and 1 beyond: -1/4, -1/4, 1, 1/8, 1/2, 1/4, -1/8, 1/2; times 1/sqrt(8)
  EXPECT_NEAR(lsq->deployed()[0].scales[0], 2.0 - 0.5 * 1.75 / std::sqrt(8.0), 4 * kRounding * 2);
}

TEST(LearnedStep, StartsFromTheProjectionAndServesBinary) {
  const auto lsq = make("lsq");
  Weights weights = one_layer({0.5F, -1.5F}, "binary");
  lsq->begin(weights);
  EXPECT_EQ(seen(*lsq, weights), (std::vector<float>{1, -1}));
  step(*lsq, weights, {1.0F, 1.0F}, 0.5);
  lsq->end_round({.total_steps = 10});
  // s = 2 is the distance of the levels -1/2 and 1/2: dw/ds = 1/2 - 1/4 and, beyond, -1/2; N Q = 1
  EXPECT_NEAR(lsq->deployed()[0].scales[0], 0.5 * (2.0 + 0.5 * 0.25), 4 * kRounding);
}

TEST(DoReFa, IsSignsTimesTheMeanForOneBit) {
  const auto dorefa = make("dorefa");
  Weights weights = one_layer({0.5F, -1.5F}, "binary");
  dorefa->begin(weights);
  EXPECT_EQ(seen(*dorefa, weights), (std::vector<float>{1, -1}));
  step(*dorefa, weights, {0.25F, -1.0F}, 1.0);
  EXPECT_EQ(vector_of(weights.value), (std::vector<float>{0.25F, -0.5F}));
}

TEST(DoReFa, RoundsTheNormalizedTanhAndChainsItsSlope) {
  for (const char* set : {"uniform:2/none", "uniform:2"}) {
    SCOPED_TRACE(set);
    const auto dorefa = make("dorefa");
    const std::vector<float> v = {2.0F, 0.5F, -0.5F, -0.6F, 0.53F, -1.0F};
    Weights weights = one_layer(v, set);
    dorefa->begin(weights);
    const double reach = std::string(set) == "uniform:2" ? 2.0 : 1.0;
    std::vector<double> expected;
    std::vector<double> moved;
    for (const float one : v) {
      const double x = one;
      // The nearest of -1, -1/3, 1/3 and 1.
      const double share = 0.5 + 0.5 * std::tanh(x) / std::tanh(2.0);
      expected.push_back(reach * (2.0 * std::round(3.0 * share) / 3.0 - 1.0));
      moved.push_back(x - 0.5 * reach * (1.0 - std::tanh(x) * std::tanh(x)) / std::tanh(2.0));
    }
    expect_near(seen(*dorefa, weights), expected);
    step(*dorefa, weights, std::vector<float>(6, 1.0F), 0.5);
    expect_near(vector_of(weights.value), moved, 16.0);
  }
}

TEST(StraightThroughMethods, RefuseSetsThatAreNotTheirs) {
  EXPECT_EQ(refusal("bc", "ternary"),
            "[bc] layer 'w' has codebook ternary/tensor, expected binary");
  EXPECT_EQ(refusal("bwn", "binary/none"),
            "[bwn] layer 'w' has codebook binary/none, expected binary with a scale");
  EXPECT_EQ(refusal("twn", "ternary/none"),
            "[twn] layer 'w' has codebook ternary/none, expected ternary with a scale");
  EXPECT_EQ(refusal("ttq", "binary"),
            "[ttq] layer 'w' has codebook binary/tensor, expected ternary");
  EXPECT_EQ(refusal("ttq", "ternary/channel"),
            "[ttq] layer 'w' has codebook ternary/channel, expected ternary");
  EXPECT_EQ(refusal("lsq", "shift:2"),
            "[lsq] layer 'w' has codebook shift:2/tensor, expected levels at equal distances and a "
            "scale");
  EXPECT_EQ(refusal("dorefa", "shift:2"),
            "[dorefa] layer 'w' has codebook shift:2/tensor, expected binary or uniform:N");
}

TEST(StraightThroughMethods, RefuseASharedScaleThatTheyWouldMakeThemselves) {
  Weights weights = one_layer(kV, "ternary");
  weights.layers[0].shared = 0;
  try {
    make("twn")->begin(weights);
    FAIL() << "expected InputError";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "[twn] layer 'w' shares its scale with other layers, expected one of its own");
  }
}

TEST(StraightThroughMethods, RefuseBadOptions) {
  EXPECT_THROW(make("bc", {{"stochastic", "yes"}}), InputError);
  EXPECT_THROW(make("bc", {{"draw-seed", "-1"}}), InputError);
  EXPECT_THROW(make("bc", {{"clip", "1"}}), InputError);
  EXPECT_THROW(make("bwn", {{"gradient", "none"}}), InputError);
  EXPECT_THROW(make("twn", {{"threshold", "-0.1"}}), InputError);
  EXPECT_THROW(make("ttq", {{"max-share", "1.5"}}), InputError);
  EXPECT_THROW(make("ttq", {{"start", "two"}}), InputError);
  EXPECT_THROW(make("ttq", {{"level-gradient", "mean"}}), InputError);
  EXPECT_THROW(make("ttq", {{"latent-gradient", "sum"}}), InputError);
  EXPECT_THROW(make("lsq", {{"first-step", "one"}}), InputError);
}

}  // namespace
}  // namespace lastbit
