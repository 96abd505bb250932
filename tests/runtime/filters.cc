#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/runtime/kernels/kernel_set.h"

// Filters of one channel each and largest values, in every set of kernels against the scalar one.

namespace lastbit {
namespace {

class EveryKernelSet : public testing::TestWithParam<const KernelSet*> {};

struct Case {
  std::size_t height;
  std::size_t width;
  std::size_t channels;
  std::size_t count;
  std::size_t step;  // in pixels
};

template <typename Input>
Input random_input(Random& random) {
  if constexpr (std::is_same_v<Input, float>) {
    return static_cast<float>(random.uniform(-1, 1));
  } else {
    return static_cast<Input>(random.below(256));
  }
}

// Each pixel is an array of its own, so that a sanitizer sees reads beyond it.
template <typename Input>
struct Inputs {
  Inputs(const Case& c, Random& random)
      : row((c.count - 1) * c.step + c.width), weights(c.height * c.width * c.channels) {
    for (float& w : weights) w = static_cast<float>(random.uniform(-1, 1));
    for (std::size_t i = 0; i < c.height * row; ++i) {
      values.emplace_back(c.channels);
      for (Input& x : values.back()) x = random_input<Input>(random);
      pixels.push_back(values.back().data());
    }
    filter = {.pixels = pixels.data(),
              .row = row,
              .step = c.step,
              .weights = weights.data(),
              .height = c.height,
              .width = c.width};
  }

  std::size_t row;
  std::deque<std::vector<Input>> values;
  std::vector<float> weights;
  std::vector<const Input*> pixels;
  ChannelFilter<Input> filter{};
};

std::vector<Case> cases() {
  std::vector<Case> result;
  for (const std::size_t width : {1, 2, 3, 5}) {
    for (const std::size_t channels : {1, 3, 4, 8, 15, 16, 17, 33, 64}) {
      for (const std::size_t count : {1, 2, 4, 5, 7, 11}) {
        for (const std::size_t step : {std::size_t{1}, width, std::size_t{2}}) {
          result.push_back({(channels + count) % 4, width, channels, count, step});
        }
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

struct Surroundings {
  Surroundings(const Case& c, Random& random)
      : stride(c.channels + 3), bias(c.channels), residual(c.count * stride) {
    for (float& x : bias) x = static_cast<float>(random.uniform(-1, 1));
    for (float& x : residual) x = static_cast<float>(random.uniform(-1, 1));
    finish = {.count = c.count, .outputs = c.channels, .bias = bias.data(), .stride = stride};
  }

  std::size_t stride;
  std::vector<float> bias;
  std::vector<float> residual;
  Finish finish;
};

// A sum of products of which none exceeds `largest`, in one order; some sets fuse each product and
// sum.
double tolerance_of(const Case& c, double largest) {
  const std::size_t taps = c.height * c.width;
  return largest * static_cast<double>((taps + 2) * (taps + 2)) * 0x1p-23;
}

TEST_P(EveryKernelSet, FiltersAgreeForAllSizes) {
  Random random(1);
  std::size_t round = 0;
  for (const Case& c : cases()) {
    SCOPED_TRACE(testing::Message() << c.height << " x " << c.width << " taps, " << c.channels
                                    << " channels, " << c.count << ", step " << c.step);
    const Inputs<float> inputs(c, random);
    Surroundings around(c, random);
    Finish& finish = around.finish;
    std::vector<float> expected(c.count * around.stride, -7.0F);
    std::vector<float> got = expected;
    finish.residual = round % 2 == 0 ? around.residual.data() : nullptr;
    finish.activation = kActivations[round++ % std::size(kActivations)];
    finish.out = expected.data();
    scalar_kernels().filter(inputs.filter, finish);
    finish.out = got.data();
    GetParam()->filter(inputs.filter, finish);
    const double tolerance = tolerance_of(c, 1.0);
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], tolerance) << i;
  }
}

TEST_P(EveryKernelSet, FiltersOfBytesAgreeForAllSizes) {
  Random random(3);
  for (const Case& c : cases()) {
    SCOPED_TRACE(testing::Message() << c.height << " x " << c.width << " taps, " << c.channels
                                    << " channels, " << c.count << ", step " << c.step);
    const Inputs<std::uint8_t> inputs(c, random);
    Surroundings around(c, random);
    Finish& finish = around.finish;
    std::vector<float> expected(c.count * around.stride, -7.0F);
    std::vector<float> got = expected;
    finish.out = expected.data();
    scalar_kernels().filter_bytes(inputs.filter, finish);
    finish.out = got.data();
    GetParam()->filter_bytes(inputs.filter, finish);
    const double tolerance = tolerance_of(c, 255.0);
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], tolerance) << i;

    // Results as bytes are the nearest integers of these floats, held within bounds. Where a float
    // is as near to two as floats may differ, either is right.
    finish.activation = {.kind = Activation::Kind::kClip, .least = 2.5F, .most = 255.0F};
    std::vector<std::uint8_t> bytes(got.size(), 77);
    finish.bytes = bytes.data();
    finish.out = nullptr;
    GetParam()->filter_bytes(inputs.filter, finish);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (i % around.stride >= c.channels) {
        ASSERT_EQ(bytes[i], 77) << i;
        continue;
      }
      const double value = std::clamp(static_cast<double>(expected[i]), 2.5, 255.0);
      ASSERT_NEAR(bytes[i], value, 0.5 + tolerance) << i;
    }
  }
}

TEST_P(EveryKernelSet, LargestValuesAreEqual) {
  Random random(2);
  for (const Case& c : cases()) {
    const std::size_t taps = c.height * c.width + 1;
    // The last tap ends where the array does.
    std::vector<float> values((taps + (c.count - 1) * c.step) * c.channels);
    for (float& x : values) x = static_cast<float>(random.uniform(-1, 1));
    std::vector<const float*> rows;
    for (std::size_t t = 0; t < taps; ++t) rows.push_back(values.data() + t * c.channels);
    const ChannelWindow window{.inputs = rows.data(), .taps = taps, .step = c.step * c.channels};
    std::vector<float> expected(c.count * c.channels + 1, -7.0F);
    std::vector<float> got = expected;
    scalar_kernels().largest(window, c.count, c.channels, expected.data());
    GetParam()->largest(window, c.count, c.channels, got.data());
    ASSERT_EQ(got, expected);
    for (std::size_t k = 0; k < c.channels; ++k) {
      float most = -std::numeric_limits<float>::infinity();
      for (const float* row : rows) most = std::max(most, row[k]);
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
