#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/runtime/kernels/kernel_set.h"

// Filters of one channel each and largest values, in every set of kernels against the scalar one.

namespace lastbit {
namespace {

class EveryKernelSet : public testing::TestWithParam<const KernelSet*> {};

struct Case {
  std::size_t taps;
  std::size_t channels;
  std::size_t count;
  std::size_t step;  // in pixels
};

// Inputs whose last tap ends where the array does, so that a sanitizer sees reads beyond it.
struct Inputs {
  Inputs(const Case& c, Random& random)
      : values((c.taps + (c.count - 1) * c.step) * c.channels), weights(c.taps * c.channels) {
    for (float& x : values) x = static_cast<float>(random.uniform(-1, 1));
    for (float& w : weights) w = static_cast<float>(random.uniform(-1, 1));
    for (std::size_t t = 0; t < c.taps; ++t) {
      input_rows.push_back(values.data() + t * c.channels);
      weight_rows.push_back(weights.data() + t * c.channels);
    }
    filter = {.inputs = input_rows.data(),
              .weights = weight_rows.data(),
              .taps = c.taps,
              .step = c.step * c.channels};
  }

  std::vector<float> values;
  std::vector<float> weights;
  std::vector<const float*> input_rows;
  std::vector<const float*> weight_rows;
  ChannelFilter filter{};
};

std::vector<Case> cases() {
  std::vector<Case> result;
  for (const std::size_t taps : {1, 3, 9, 25}) {
    for (const std::size_t channels : {1, 3, 4, 8, 15, 16, 17, 33, 64}) {
      for (const std::size_t count : {1, 2, 4, 5, 11}) {
        result.push_back({taps, channels, count, 1 + channels % 2});
      }
    }
  }
  return result;
}

constexpr Activation kActivations[] = {
    {.kind = Activation::Kind::kNone},
    {.kind = Activation::Kind::kRelu},
    {.kind = Activation::Kind::kClip, .least = -0.25F, .most = 0.5F},
    {.kind = Activation::Kind::kLeakyRelu, .slope = 0.1F},
    {.kind = Activation::Kind::kSigmoid},
    {.kind = Activation::Kind::kTanh}};

TEST_P(EveryKernelSet, FiltersAgreeForAllSizes) {
  Random random(1);
  std::size_t round = 0;
  for (const Case& c : cases()) {
    SCOPED_TRACE(testing::Message()
                 << c.taps << " taps, " << c.channels << " channels, " << c.count);
    Inputs inputs(c, random);
    const std::size_t stride = c.channels + 3;
    std::vector<float> bias(c.channels);
    std::vector<float> residual(c.count * stride);
    for (float& x : bias) x = static_cast<float>(random.uniform(-1, 1));
    for (float& x : residual) x = static_cast<float>(random.uniform(-1, 1));
    std::vector<float> expected(c.count * stride, -7.0F);
    std::vector<float> got = expected;
    Finish finish{.count = c.count,
                  .outputs = c.channels,
                  .bias = bias.data(),
                  .residual = round % 2 == 0 ? residual.data() : nullptr,
                  .stride = stride,
                  .activation = kActivations[round % std::size(kActivations)],
                  .out = expected.data()};
    ++round;
    scalar_kernels().filter(inputs.filter, finish);
    finish.out = got.data();
    GetParam()->filter(inputs.filter, finish);
    // A sum of products of at most 1, in one order; some sets fuse each product and sum.
    const double tolerance = static_cast<double>((c.taps + 2) * (c.taps + 2)) * 0x1p-23;
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], tolerance) << i;
  }
}

TEST_P(EveryKernelSet, LargestValuesAreEqual) {
  Random random(2);
  for (const Case& c : cases()) {
    Inputs inputs(c, random);
    std::vector<float> expected(c.count * c.channels + 1, -7.0F);
    std::vector<float> got = expected;
    scalar_kernels().largest(inputs.filter, c.count, c.channels, expected.data());
    GetParam()->largest(inputs.filter, c.count, c.channels, got.data());
    ASSERT_EQ(got, expected);
    for (std::size_t k = 0; k < c.channels; ++k) {
      float most = -std::numeric_limits<float>::infinity();
      for (std::size_t t = 0; t < c.taps; ++t) most = std::max(most, inputs.input_rows[t][k]);
      ASSERT_EQ(got[k], most);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Filters,
                         EveryKernelSet,
                         testing::ValuesIn(runnable_kernels().begin(), runnable_kernels().end()),
                         [](const auto& one) { return std::string(one.param->name); });

}  // namespace
}  // namespace lastbit
