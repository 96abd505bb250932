#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/runtime/kernels/kernel_set.h"

// What becomes of the sums of products, in every set of kernels. Scales are powers of two and
// summands whole halves, so that floats are exact and all sets must agree to the bit.

namespace lastbit {
namespace {

class EveryFinish : public testing::TestWithParam<const KernelSet*> {};

struct Problem {
  Problem(std::size_t outputs, std::size_t count, Random& random)
      : stride(outputs + 5),
        finish{.count = count, .outputs = outputs, .sums_stride = outputs + 3, .stride = stride} {
    for (std::size_t o = 0; o < outputs; ++o) {
      scale.push_back(random.below(2) == 0 ? 0.5F : 0.25F);
      bias.push_back(static_cast<float>(random.below(41)) * 0.5F - 10.0F);
      offsets.push_back(static_cast<std::int32_t>(random.below(200)) - 100);
    }
    for (std::size_t i = 0; i < count * finish.sums_stride; ++i) {
      sums.push_back(static_cast<std::int32_t>(random.below(3000)) - 1000);
    }
    for (std::size_t i = 0; i < count * stride; ++i) {
      residual.push_back(static_cast<float>(random.below(64)) - 32.0F);
    }
    finish.scale = scale.data();
    finish.bias = bias.data();
  }

  std::vector<float> floats(const KernelSet& set, const std::int32_t* offset) {
    std::vector<float> out(finish.count * stride, -7.0F);
    finish.out = out.data();
    set.finish_int8(sums.data(), offset, 2.0F, finish);
    return out;
  }

  std::vector<std::uint8_t> bytes(const KernelSet& set, const std::int32_t* offset) {
    std::vector<std::uint8_t> out(finish.count * stride, 77);
    finish.bytes = out.data();
    set.finish_int8(sums.data(), offset, 2.0F, finish);
    finish.bytes = nullptr;
    return out;
  }

  std::size_t stride;
  std::vector<float> scale;
  std::vector<float> bias;
  std::vector<float> residual;
  std::vector<std::int32_t> offsets;
  std::vector<std::int32_t> sums;
  Finish finish;
};

constexpr std::size_t kOutputs[] = {1, 3, 4, 7, 8, 15, 16, 17, 24, 31, 32};

TEST_P(EveryFinish, SumsOfIntegersAreEqualForAllSizes) {
  Random random(1);
  for (const std::size_t outputs : kOutputs) {
    for (std::size_t count = 1; count <= kTileRows; ++count) {
      SCOPED_TRACE(testing::Message() << outputs << " outputs, " << count);
      Problem problem(outputs, count, random);
      problem.finish.activation = {.kind = Activation::Kind::kRelu};
      if (count % 2 == 0) problem.finish.residual = problem.residual.data();
      for (const std::int32_t* offset : {static_cast<const std::int32_t*>(problem.offsets.data()),
                                         static_cast<const std::int32_t*>(nullptr)}) {
        EXPECT_EQ(problem.floats(*GetParam(), offset), problem.floats(scalar_kernels(), offset));
      }
    }
  }
}

TEST_P(EveryFinish, BytesAreTheNearestIntegersWithinBounds) {
  Random random(2);
  for (const std::size_t outputs : kOutputs) {
    for (std::size_t count = 1; count <= kTileRows; ++count) {
      SCOPED_TRACE(testing::Message() << outputs << " outputs, " << count);
      Problem problem(outputs, count, random);
      problem.finish.activation = {
          .kind = Activation::Kind::kClip, .least = count % 2 == 0 ? 0.0F : 12.5F, .most = 255.0F};
      for (const std::int32_t* offset : {static_cast<const std::int32_t*>(problem.offsets.data()),
                                         static_cast<const std::int32_t*>(nullptr)}) {
        const std::vector<std::uint8_t> got = problem.bytes(*GetParam(), offset);
        EXPECT_EQ(got, problem.bytes(scalar_kernels(), offset));
        // Halves go to the even integer.
        const std::vector<float> exact = problem.floats(scalar_kernels(), offset);
        for (std::size_t i = 0; i < got.size(); ++i) {
          if (i % problem.stride >= outputs) {
            EXPECT_EQ(got[i], 77) << i;
            continue;
          }
          EXPECT_NEAR(got[i], exact[i], 0.5) << i;
          if (std::abs(got[i] - exact[i]) != 0.5F) continue;
          EXPECT_EQ(got[i] % 2, 0) << i;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Finishes,
                         EveryFinish,
                         testing::ValuesIn(runnable_kernels().begin(), runnable_kernels().end()),
                         [](const auto& one) { return std::string(one.param->name); });

}  // namespace
}  // namespace lastbit
