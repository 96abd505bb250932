#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/runtime/kernels/sets.h"

// Every set of kernels that this processor can run against the scalar definition.

namespace lastbit {
namespace {

class EveryKernelSet : public testing::TestWithParam<const KernelSet*> {};

TEST_P(EveryKernelSet, ActivationsStayWithinAFewUnitsInTheLastPlace) {
  using Kind = Activation::Kind;
  std::vector<float> xs = {0.0F, -0.0F, 1e-30F, -1e-30F, 100.0F, -100.0F, 1e30F, -1e30F};
  for (int i = -4000; i <= 4000; ++i) xs.push_back(static_cast<float>(i) * 0.005F);
  for (const Kind kind :
       {Kind::kNone, Kind::kRelu, Kind::kLeakyRelu, Kind::kSigmoid, Kind::kTanh}) {
    std::vector<float> got = xs;
    GetParam()->activate({.kind = kind, .slope = 0.25F}, got.data(), got.size());
    for (std::size_t i = 0; i < xs.size(); ++i) {
      const double x = xs[i];
      double expected = x;
      if (kind == Kind::kRelu) expected = std::max(x, 0.0);
      if (kind == Kind::kLeakyRelu) expected = x < 0 ? 0.25 * x : x;
      if (kind == Kind::kSigmoid) expected = 1 / (1 + std::exp(-x));
      if (kind == Kind::kTanh) expected = std::tanh(x);
      ASSERT_NEAR(got[i], expected, 8 * 0x1p-24 * std::abs(expected) + 1e-37)
          << "kind " << static_cast<int>(kind) << " at " << x;
    }
  }
}

TEST_P(EveryKernelSet, ActivationsHandNotANumberOn) {
  using Kind = Activation::Kind;
  for (const Kind kind : {Kind::kRelu, Kind::kLeakyRelu, Kind::kSigmoid, Kind::kTanh}) {
    std::vector<float> values(19, std::numeric_limits<float>::quiet_NaN());
    GetParam()->activate({.kind = kind, .slope = 0.25F}, values.data(), values.size());
    for (const float v : values) EXPECT_TRUE(std::isnan(v)) << static_cast<int>(kind);
  }
}

TEST_P(EveryKernelSet, ActivationsLeaveTheNeighboursAlone) {
  for (std::size_t count = 0; count < 40; ++count) {
    std::vector<float> values(count + 1, -1.0F);
    GetParam()->activate({.kind = Activation::Kind::kRelu}, values.data(), count);
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(values[i], 0.0F);
    EXPECT_EQ(values[count], -1.0F);
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels,
                         EveryKernelSet,
                         testing::ValuesIn(runnable_kernels()),
                         [](const auto& test) { return std::string(test.param->name); });

}  // namespace
}  // namespace lastbit
