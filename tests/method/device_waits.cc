#include <map>
#include <string_view>

#include <gtest/gtest.h>

#include "device.h"
#include "lastbit/base/error.h"
#include "lastbit/method/fixed_codes.h"
#include "method_names.h"
#include "support.h"

// How often methods stop for a device: in a step those alone that must know figures of the weights,
// once for all layers.

namespace lastbit {
namespace {

constexpr std::int64_t kLayer = 240;

Weights weights_on_device(std::string_view set, std::int64_t layers) {
  Weights weights;
  weights.value = tensor_of(random_values(static_cast<std::size_t>(layers * kLayer), 7));
  weights.value = weights.value.to(torch::kCUDA);
  weights.gradient = torch::zeros_like(weights.value);
  for (std::int64_t i = 0; i < layers; ++i) {
    weights.layers.push_back({std::to_string(i), i * kLayer, {1, 10, 24}, parse_projector(set)});
  }
  return weights;
}

// The first set that the method takes.
std::string_view set_of(const MethodInfo& info) {
  for (const std::string_view set : {"uniform:2", "ternary", "binary"}) {
    try {
      make_method(info)->begin(weights_on_device(set, 1));
      return set;
    } catch (const InputError&) {
    }
  }
  return "binary/none";
}

struct Waits {
  std::int64_t step = 0;
  std::int64_t step_bytes = 0;  // to the host
  std::int64_t round = 0;
};

Waits waits_of(Method& method, Weights weights) {
  const torch::Tensor target = torch::ones_like(weights.value);
  Progress at{.total_steps = 40, .total_rounds = 4, .learning_rate = 0.05};
  method.begin(weights);
  const auto step = [&] {
    descend(
        method, weights, [&](const torch::Tensor& w) { return w - target; }, at);
  };
  step();
  pretend::reset_counts();
  for (int i = 0; i < 5; ++i) step();
  const pretend::Counts steps = pretend::counts();
  pretend::reset_counts();
  method.end_round(at);
  return {(steps.waits + 4) / 5, steps.bytes_to_host / 5, pretend::counts().waits};
}

// Of what a method learns or measures in each step, else 0.
std::int64_t figures_in_a_step(std::string_view method) {
  static const std::map<std::string_view, std::int64_t> reads = {
      {"bwn", 1}, {"dorefa", 2}, {"lsq", 1}, {"ttq", 2}, {"twn", 2}};
  const auto found = reads.find(method);
  return found == reads.end() ? 0 : found->second;
}

class DeviceWaits : public testing::TestWithParam<MethodInfo> {};

TEST_P(DeviceWaits, DoNotGrowWithTheLayers) {
  const std::string_view set = set_of(GetParam());
  const Waits few = waits_of(*make_method(GetParam()), weights_on_device(set, 2));
  const Waits many = waits_of(*make_method(GetParam()), weights_on_device(set, 8));
  EXPECT_LE(many.step, figures_in_a_step(GetParam().name));
  EXPECT_LE(many.step_bytes, 8 * 10 * 2 * 8);  // two doubles a group at most
  EXPECT_EQ(many.step, few.step);
  EXPECT_EQ(many.round, few.round);
  EXPECT_LE(many.round, 10);
}

INSTANTIATE_TEST_SUITE_P(Method,
                         DeviceWaits,
                         testing::ValuesIn(methods().begin(), methods().end()),
                         test_name);

TEST(DeviceWaitsOfTheFinish, AreNone) {
  for (const std::string_view set : {"ternary", "shift:2/channel", "kmeans:4", "binary/none"}) {
    SCOPED_TRACE(set);
    const Weights weights = weights_on_device(set, 4);
    const auto method = make_fixed_codes(project(weights.layers, weights.value));
    const Waits waits = waits_of(*method, weights);
    EXPECT_EQ(waits.step, 0);
    EXPECT_EQ(waits.step_bytes, 0);
  }
}

}  // namespace
}  // namespace lastbit
