#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>
#include <torch/cuda.h>

#include "lastbit/base/error.h"
#include "lastbit/method/direct.h"
#include "lastbit/method/fixed_codes.h"
#include "method_names.h"
#include "support.h"

// Methods on weights of a CUDA device, beside themselves on the host.

namespace lastbit {
namespace {

constexpr std::int64_t kSize = 600;

// Layers of several layouts and granularities, of sets that the method takes.
std::vector<ConstrainedWeight> layers_for(const std::vector<std::string_view>& sets) {
  std::vector<ConstrainedWeight> layers = {{"rows", 0, {1, 10, 24}, nullptr},
                                           {"columns", 240, {12, 10, 1}, nullptr},
                                           {"all", 360, {1, 1, 240}, nullptr}};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    layers[i].set = parse_projector(sets[std::min(i, sets.size() - 1)]);
  }
  return layers;
}

Weights weights_on(torch::Device device, const std::vector<ConstrainedWeight>& layers) {
  Weights weights;
  weights.value = tensor_of(random_values(kSize, 7)).to(device);
  weights.gradient = torch::zeros({kSize}, torch::TensorOptions(device));
  weights.layers = layers;
  return weights;
}

bool takes(const MethodInfo& info, std::string_view set) {
  try {
    const auto method = make_method(info);
    method->begin(weights_on(torch::kCPU, layers_for({set})));
    return true;
  } catch (const InputError&) {
    return false;
  }
}

// Of these as many as there are layers, all of which the method takes.
std::vector<std::string_view> sets_for(const MethodInfo& info) {
  std::vector<std::string_view> sets;
  for (const std::string_view set : {"ternary/channel",
                                     "binary/channel",
                                     "uniform:2",
                                     "shift:2",
                                     "ternary",
                                     "binary",
                                     "binary/none",
                                     "ternary/none"}) {
    if (sets.size() < 3 && takes(info, set)) sets.push_back(set);
  }
  return sets;
}

Progress start() { return {.total_steps = 18, .total_rounds = 6, .learning_rate = 0.05}; }

// A method with weights, and how far it is.
struct Side {
  Side(std::unique_ptr<Method> made,
       torch::Device device,
       const std::vector<ConstrainedWeight>& layers)
      : method(std::move(made)), weights(weights_on(device, layers)) {
    method->begin(weights);
  }
  void go_on(int rounds) {
    const torch::Tensor target = tensor_of(random_values(kSize, 99)).to(weights.value.device());
    run_rounds(*method, weights, at, rounds, target);
  }

  std::unique_ptr<Method> method;
  Weights weights;
  Progress at = start();
};

// Sums are taken in another order there.
void expect_alike(const Method& there, const Method& here) {
  ASSERT_EQ(there.deployed().size(), here.deployed().size());
  for (std::size_t i = 0; i < here.deployed().size(); ++i) {
    const Quantized& found = there.deployed()[i];
    const Quantized& expected = here.deployed()[i];
    ASSERT_EQ(found.codes.size(), expected.codes.size());
    int others = 0;
    for (std::size_t k = 0; k < expected.codes.size(); ++k) {
      if (found.codes[k] != expected.codes[k]) ++others;
    }
    EXPECT_LE(others, static_cast<int>(expected.codes.size() / 100)) << "of layer " << i;
    ASSERT_EQ(found.scales.size(), expected.scales.size());
    for (std::size_t k = 0; k < expected.scales.size(); ++k)
      EXPECT_NEAR(found.scales[k], expected.scales[k], 1e-2 * std::abs(expected.scales[k]));
  }
}

void expect_near(const torch::Tensor& there, const torch::Tensor& here) {
  EXPECT_TRUE(there.is_cuda());
  const torch::Tensor far = (there.to(torch::kCPU) - here).abs() > 1e-4;
  EXPECT_LE(far.sum().item<int>(), kSize / 100);
}

class WithADevice : public testing::Test {
 protected:
  void SetUp() override {
    if (!torch::cuda::is_available()) GTEST_SKIP() << "needs a GPU";
  }
};

class OnDevice : public WithADevice, public testing::WithParamInterface<MethodInfo> {};

TEST_P(OnDevice, GoesAsOnTheHost) {
  const auto layers = layers_for(sets_for(GetParam()));
  Side here(make_method(GetParam()), torch::kCPU, layers);
  Side there(make_method(GetParam()), torch::kCUDA, layers);
  here.go_on(4);
  there.go_on(4);
  expect_near(there.weights.value, here.weights.value);
  expect_near(there.method->seen(there.at), here.method->seen(here.at));
  expect_alike(*there.method, *here.method);
}

TEST_P(OnDevice, GoesOnFromItsStateBitForBit) {
  const auto layers = layers_for(sets_for(GetParam()));
  Side whole(make_method(GetParam()), torch::kCUDA, layers);
  whole.go_on(2);
  const auto state = whole.method->state();
  const torch::Tensor saved = whole.weights.value.clone();
  const Progress saved_at = whole.at;
  whole.go_on(2);

  Side resumed(make_method(GetParam()), torch::kCUDA, layers);
  resumed.weights.value.copy_(saved);
  resumed.method->load(state);
  resumed.at = saved_at;
  resumed.go_on(2);
  EXPECT_TRUE(resumed.weights.value.equal(whole.weights.value));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    EXPECT_EQ(resumed.method->deployed()[i].codes, whole.method->deployed()[i].codes);
    EXPECT_EQ(resumed.method->deployed()[i].scales, whole.method->deployed()[i].scales);
  }
}

INSTANTIATE_TEST_SUITE_P(Method,
                         OnDevice,
                         testing::ValuesIn(methods().begin(), methods().end()),
                         test_name);

std::string name_of(const testing::TestParamInfo<std::string_view>& parameter) {
  std::string name(parameter.param);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

class FinishOnDevice : public WithADevice, public testing::WithParamInterface<std::string_view> {};

void expect_same_finish(const std::vector<ConstrainedWeight>& layers) {
  const std::vector<Quantized> codes = project(layers, weights_on(torch::kCPU, layers).value);
  Side here(make_fixed_codes(codes), torch::kCPU, layers);
  Side there(make_fixed_codes(codes), torch::kCUDA, layers);
  here.go_on(2);
  there.go_on(2);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Quantized& found = there.method->deployed()[i];
    const Quantized& expected = here.method->deployed()[i];
    EXPECT_EQ(found.codes, codes[i].codes);
    ASSERT_EQ(found.scales.size(), expected.scales.size());
    for (std::size_t k = 0; k < expected.scales.size(); ++k) {
      EXPECT_NEAR(found.scales[k], expected.scales[k], 1e-5);
    }
    ASSERT_EQ(found.levels.size(), expected.levels.size());
    for (std::size_t k = 0; k < expected.levels.levels().size(); ++k) {
      EXPECT_NEAR(found.levels.levels()[k], expected.levels.levels()[k], 1e-5);
    }
  }
  expect_near(there.weights.value, here.weights.value);
  torch::Tensor decoded = torch::empty({kSize});
  decode(layers, there.method->deployed(), decoded);
  EXPECT_TRUE(there.weights.value.to(torch::kCPU).equal(decoded));

  Side resumed(make_fixed_codes(codes), torch::kCUDA, layers);
  resumed.method->load(there.method->state());
  EXPECT_TRUE(resumed.weights.value.equal(there.weights.value));
  there.go_on(1);
  resumed.go_on(1);
  EXPECT_TRUE(resumed.weights.value.equal(there.weights.value));
  EXPECT_FALSE(resumed.weights.value.to(torch::kCPU).equal(decoded)) << "nothing moved";
}

TEST_P(FinishOnDevice, MovesScalesAsOnTheHost) { expect_same_finish(layers_for({GetParam()})); }

INSTANTIATE_TEST_SUITE_P(
    Set,
    FinishOnDevice,
    testing::Values("ternary", "binary/channel", "shift:2/channel", "uniform:2/group:12"),
    name_of);

class LevelsOnDevice : public FinishOnDevice {};

// Of learned levels, and of sets that leave a finish nothing to move.
TEST_P(LevelsOnDevice, AreThoseOfTheHost) {
  std::vector<ConstrainedWeight> layers = layers_for({GetParam(), "ternary/channel", GetParam()});
  std::swap(layers[0].set, layers[1].set);
  expect_same_finish(layers);
}

INSTANTIATE_TEST_SUITE_P(Set, LevelsOnDevice, testing::Values("kmeans:4", "ternary/none"), name_of);

TEST_F(WithADevice, SharedLayersFinishAsOne) {
  std::vector<ConstrainedWeight> layers = layers_for({"shift:2", "ternary/channel", "shift:2"});
  layers[0].shared = layers[2].shared = 3;
  expect_same_finish(layers);
}

// Groups that are no runs of memory are fitted on the host.
TEST_F(WithADevice, GroupsOfAnyFormFinish) { expect_same_finish(layers_for({"ternary/group:7"})); }

TEST_F(WithADevice, DirectCompressionDeploysTheProjection) {
  const auto layers = layers_for({"ternary/channel", "shift:2", "kmeans:4"});
  const auto here = make_direct_compression();
  const auto there = make_direct_compression();
  here->begin(weights_on(torch::kCPU, layers));
  there->begin(weights_on(torch::kCUDA, layers));
  expect_alike(*there, *here);
}

}  // namespace
}  // namespace lastbit
