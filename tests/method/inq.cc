#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/method/registry.h"
#include "support.h"

namespace lastbit {
namespace {

using Given = std::map<std::string, std::string>;

std::unique_ptr<Method> make(const Given& given = {}) {
  return make_method(find_method("inq"), given);
}

TEST(Inq, TakesPowersOfTwoFromTheLargestWeight) {
  // n = floor(log2(4 x 1.7 / 3)) = 1: levels 0, 0.5, 1, 2
  const auto inq = make({{"shares", "1"}});
  Weights weights = one_layer({1.7F, -0.74F, 0.75F, 0.2F, 0.25F, -1.6F, -1.4F}, "shift:2");
  inq->begin(weights);
  Progress at{.total_steps = 4};
  inq->before_forward(at, 0);
  // Nearest, so b from 3/4 b up to 3/2 b; ties to the larger.
  EXPECT_EQ(vector_of(weights.value), (std::vector<float>{2, -0.5F, 1, 0, 0.5F, -2, -1}));
  inq->after_backward(at, 0);
  inq->end_round(at);
  EXPECT_EQ(inq->deployed()[0].scales, std::vector<float>{0.5F});
}

TEST(Inq, ChoosesAPowerForEachChannel) {
  const auto inq = make();
  Weights weights = one_layer({0.74F, 0.1F, 3.0F, 1.0F, 0.0F, 0.0F}, "shift:2/channel", 3);
  inq->begin(weights);
  inq->end_round({.total_steps = 4});
  EXPECT_EQ(inq->deployed()[0].scales, (std::vector<float>{0.125F, 1.0F, 0.0F}));
}

// An optimizer with momentum keeps pushing; the weights that are frozen stay, bit for bit.
TEST(Inq, FreezesTheLargestWeightsShareByShare) {
  const auto inq = make({{"shares", "0.25,0.5,1"}});
  constexpr std::size_t kCount = 40;
  Weights weights = one_layer(random_values(kCount, 4), "shift:2");
  const std::vector<float> reference = vector_of(weights.value);
  inq->begin(weights);
  Progress at{.total_steps = 10, .learning_rate = 0.1};
  torch::Tensor velocity = torch::ones_like(weights.value);
  std::vector<std::vector<float>> after;
  std::vector<std::vector<float>> slopes;
  for (; at.step < 10;) {
    inq->before_forward(at, 0);
    weights.gradient.fill_(1.0);
    inq->after_backward(at, 0);
    slopes.push_back(vector_of(weights.gradient));
    velocity.mul_(0.9).add_(weights.gradient);
    weights.value.sub_(velocity, 0.01);
    ++at.step;
    inq->after_step(at);
    after.push_back(vector_of(weights.value));
  }
  // From the start 10 weights have no gradient, and 20 from half of the run.
  EXPECT_EQ(std::count(slopes[0].begin(), slopes[0].end(), 0.0F), 10);
  EXPECT_EQ(std::count(slopes[4].begin(), slopes[4].end(), 0.0F), 10);
  EXPECT_EQ(std::count(slopes[5].begin(), slopes[5].end(), 0.0F), 20);
  float smallest_frozen = 100.0F;
  float largest_free = 0.0F;
  for (std::size_t i = 0; i < kCount; ++i) {
    float& bound = slopes[0][i] == 0.0F ? smallest_frozen : largest_free;
    bound = slopes[0][i] == 0.0F ? std::min(bound, std::abs(reference[i]))
                                 : std::max(bound, std::abs(reference[i]));
    if (slopes[0][i] != 0.0F) continue;
    for (const auto& values : after) EXPECT_EQ(values[i], after[0][i]);
  }
  EXPECT_GT(smallest_frozen, largest_free);
  // At the end of the run all are levels, and the deployed ones.
  inq->end_round(at);
  EXPECT_EQ(decoded(inq->deployed()[0]), after.back());
}

TEST(Inq, TakesAnyLevelsWithTheBestScale) {
  const auto inq = make({{"scale-rule", "best"}, {"shares", "1"}});
  Weights weights = one_layer(random_values(50, 4), "ternary");
  const Quantized best = weights.layers[0].set->project(random_values(50, 4), {1, 1, 50});
  inq->begin(weights);
  inq->end_round({.total_steps = 4});
  EXPECT_EQ(inq->deployed()[0].codes, best.codes);
  EXPECT_EQ(inq->deployed()[0].scales, best.scales);
}

TEST(Inq, RefusesLevelsThatAreNoPowersOfTwo) {
  Weights weights = one_layer(random_values(6, 4), "levels:-3,-1,0,1,3");
  try {
    make()->begin(weights);
    FAIL() << "expected InputError";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "[inq] layer 'w' has codebook levels:-3,-1,0,1,3/tensor, expected powers of two, "
                 "or --scale-rule best");
  }
}

TEST(Inq, RefusesBadOptions) {
  for (const char* shares :
       {"", "0.5", "0.5,0.4,1", "0,1", "1,1", "0.5,1.5", "0.5,,1", "a", "0.5,1,"}) {
    EXPECT_THROW(make({{"shares", shares}}), InputError) << shares;
  }
  EXPECT_THROW(make({{"scale-rule", "worst"}}), InputError);
  try {
    make({{"shares", "0.5"}});
    FAIL() << "expected InputError";
  } catch (const InputError& error) {
    EXPECT_STREQ(
        error.what(),
        "[inq --shares] '0.5', expected growing numbers above 0 of which the last is 1, as "
        "0.5,0.75,0.875,1");
  }
}

}  // namespace
}  // namespace lastbit
