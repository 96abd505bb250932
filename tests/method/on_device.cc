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

// Rounds of three steps down 1/2 ||w - t||^2.
void run(Method& method, Weights& weights, Progress& at, int rounds) {
  const torch::Tensor target = tensor_of(random_values(kSize, 99)).to(weights.value.device());
  for (int round = 0; round < rounds; ++round) {
    for (int step = 0; step < 3; ++step) {
      descend(
          method, weights, [&](const torch::Tensor& w) { return w - target; }, at);
    }
    method.end_round(at);
    ++at.round;
  }
}

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

class OnDevice : public testing::TestWithParam<MethodInfo> {
 protected:
  void SetUp() override {
    if (!torch::cuda::is_available()) GTEST_SKIP() << "needs a GPU";
  }
};

TEST_P(OnDevice, GoesAsOnTheHost) {
  const auto layers = layers_for(sets_for(GetParam()));
  const auto here = make_method(GetParam());
  const auto there = make_method(GetParam());
  Weights host = weights_on(torch::kCPU, layers);
  Weights device = weights_on(torch::kCUDA, layers);
  here->begin(host);
  there->begin(device);
  Progress at_host = start();
  Progress at_device = start();
  run(*here, host, at_host, 4);
  run(*there, device, at_device, 4);
  expect_near(device.value, host.value);
  expect_near(there->seen(at_device), here->seen(at_host));
  expect_alike(*there, *here);
}

TEST_P(OnDevice, GoesOnFromItsStateBitForBit) {
  const auto layers = layers_for(sets_for(GetParam()));
  const auto method = make_method(GetParam());
  Weights weights = weights_on(torch::kCUDA, layers);
  method->begin(weights);
  Progress at = start();
  run(*method, weights, at, 2);
  const auto state = method->state();
  const torch::Tensor saved = weights.value.to(torch::kCPU, /*non_blocking=*/false, /*copy=*/true);
  Progress saved_at = at;
  run(*method, weights, at, 2);

  const auto resumed = make_method(GetParam());
  Weights other = weights_on(torch::kCUDA, layers);
  resumed->begin(other);
  other.value.copy_(saved);
  resumed->load(state);
  run(*resumed, other, saved_at, 2);
  EXPECT_TRUE(other.value.equal(weights.value));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    EXPECT_EQ(resumed->deployed()[i].codes, method->deployed()[i].codes);
    EXPECT_EQ(resumed->deployed()[i].scales, method->deployed()[i].scales);
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

class FinishesOnDevice : public testing::Test {
 protected:
  void SetUp() override {
    if (!torch::cuda::is_available()) GTEST_SKIP() << "needs a GPU";
  }
};

class FinishOnDevice : public FinishesOnDevice,
                       public testing::WithParamInterface<std::string_view> {};

void expect_same_finish(const std::vector<ConstrainedWeight>& layers) {
  Weights host = weights_on(torch::kCPU, layers);
  Weights device = weights_on(torch::kCUDA, layers);
  const std::vector<Quantized> codes = project(layers, host.value);
  const auto here = make_fixed_codes(codes);
  const auto there = make_fixed_codes(codes);
  here->begin(host);
  there->begin(device);
  Progress at_host = start();
  Progress at_device = start();
  run(*here, host, at_host, 2);
  run(*there, device, at_device, 2);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    EXPECT_EQ(there->deployed()[i].codes, codes[i].codes);
    ASSERT_EQ(there->deployed()[i].scales.size(), codes[i].scales.size());
    for (std::size_t k = 0; k < codes[i].scales.size(); ++k) {
      EXPECT_NEAR(there->deployed()[i].scales[k], here->deployed()[i].scales[k], 1e-5);
    }
    const auto found = there->deployed()[i].levels.levels();
    const auto expected = here->deployed()[i].levels.levels();
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t k = 0; k < expected.size(); ++k) EXPECT_NEAR(found[k], expected[k], 1e-5);
  }
  expect_near(device.value, host.value);
  torch::Tensor decoded = torch::empty({kSize});
  decode(layers, there->deployed(), decoded);
  EXPECT_TRUE(device.value.to(torch::kCPU).equal(decoded));

  const auto state = there->state();
  Weights other = weights_on(torch::kCUDA, layers);
  const auto resumed = make_fixed_codes(codes);
  resumed->begin(other);
  resumed->load(state);
  EXPECT_TRUE(other.value.equal(device.value));
  run(*there, device, at_device, 1);
  --at_device.round;
  run(*resumed, other, at_device, 1);
  EXPECT_TRUE(other.value.equal(device.value));
  EXPECT_NE(resumed->deployed()[0].scales, codes[0].scales);
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

TEST_F(FinishesOnDevice, FinishAsOne) {
  std::vector<ConstrainedWeight> layers = layers_for({"shift:2", "ternary/channel", "shift:2"});
  layers[0].shared = layers[2].shared = 3;
  expect_same_finish(layers);
}

// Groups that are no runs of memory are fitted on the host.
TEST_F(FinishesOnDevice, FinishWithGroupsOfAnyForm) {
  expect_same_finish(layers_for({"ternary/group:7"}));
}

TEST(DirectOnDevice, DeploysTheProjection) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "needs a GPU";
  const auto layers = layers_for({"ternary/channel", "shift:2", "kmeans:4"});
  const auto here = make_direct_compression();
  const auto there = make_direct_compression();
  here->begin(weights_on(torch::kCPU, layers));
  there->begin(weights_on(torch::kCUDA, layers));
  expect_alike(*there, *here);
}

}  // namespace
}  // namespace lastbit
