#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/runtime/kernels/kernel_set.h"

// What comes before and after the products, in every set of kernels that this processor can run.

namespace lastbit {
namespace {

class EveryEnd : public testing::TestWithParam<const KernelSet*> {};

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<Activation> activations() {
  using Kind = Activation::Kind;
  return {{.kind = Kind::kNone},
          {.kind = Kind::kRelu},
          {.kind = Kind::kClip, .least = -0.25F, .most = 0.5F},
          {.kind = Kind::kLeakyRelu, .slope = 0.125F},
          {.kind = Kind::kSigmoid},
          {.kind = Kind::kTanh}};
}

// Sums of both kinds, with a residual or none, read from where the results go. Scales, biases and
// residuals are at most 1 and sums at most 8: each of the few operations is off by 2^-24 of 10.
TEST_P(EveryEnd, FinishesEveryNumberOfOutputsInPlace) {
  Random random(8);
  constexpr std::size_t kStride = kBlockOutputs + 3;
  for (std::size_t outputs = 1; outputs <= kBlockOutputs; ++outputs) {
    for (const Activation& activation : activations()) {
      for (const bool residual : {false, true}) {
        const std::size_t count = 1 + random.below(kTileRows);
        std::vector<float> sums(count * kBlockOutputs);
        for (float& v : sums) v = static_cast<float>(random.uniform(-8, 8));
        std::vector<std::int32_t> integers(sums.size());
        for (auto& v : integers) v = static_cast<std::int32_t>(random.below(20'000)) - 10'000;
        std::vector<std::int32_t> offsets(outputs);
        for (auto& v : offsets) v = static_cast<std::int32_t>(random.below(1000));
        std::vector<float> scale(outputs);
        std::vector<float> bias(outputs);
        for (float& v : scale) v = static_cast<float>(random.uniform(-1, 1));
        for (float& v : bias) v = static_cast<float>(random.uniform(-1, 1));
        std::vector<float> before(count * kStride);
        for (float& v : before) v = static_cast<float>(random.uniform(-1, 1));

        const auto finished = [&](const KernelSet& set, bool integer) {
          std::vector<float> out = before;
          const Finish finish = {.count = count,
                                 .outputs = outputs,
                                 .sums_stride = kBlockOutputs,
                                 .scale = scale.data(),
                                 .bias = bias.data(),
                                 .residual = residual ? out.data() : nullptr,
                                 .stride = kStride,
                                 .activation = activation,
                                 .out = out.data()};
          if (integer) {
            set.finish_int8(integers.data(), offsets.data(), 7e-4F, finish);
          } else {
            set.finish_float(sums.data(), finish);
          }
          return out;
        };
        for (const bool integer : {false, true}) {
          const auto got = finished(*GetParam(), integer);
          const auto expected = finished(scalar_kernels(), integer);
          for (std::size_t i = 0; i < got.size(); ++i) {
            ASSERT_NEAR(got[i], expected[i], 8 * 10 * 0x1p-24) << outputs << " outputs, at " << i;
          }
          for (std::size_t i = 0; i < got.size(); ++i) {
            if (i % kStride < outputs) continue;
            EXPECT_EQ(got[i], before[i]) << "beyond the last output";
          }
        }
      }
    }
  }
}

TEST_P(EveryEnd, RangeIsExactAndLeavesOutOnlyWhatIsNotANumber) {
  Random random(9);
  for (std::size_t count = 1; count <= 150; ++count) {
    std::vector<float> values(count);
    for (float& v : values) v = static_cast<float>(random.uniform(1, 2));
    values[random.below(count)] = -3.0F;
    const Range low = GetParam()->range(values.data(), count);
    EXPECT_EQ(low.least, -3.0F);
    EXPECT_EQ(low.most, *std::max_element(values.begin(), values.end()));
    values[random.below(count)] = 5.0F;
    const Range high = GetParam()->range(values.data(), count);
    EXPECT_EQ(high.least, *std::min_element(values.begin(), values.end()));
    EXPECT_EQ(high.most, 5.0F);
    if (count < 3) continue;
    values[0] = 5.0F;
    values[1] = -3.0F;
    for (std::size_t i = 2; i < count; ++i) values[i] = i % 2 == 0 ? kNan : 0.0F;
    const Range some = GetParam()->range(values.data(), count);
    EXPECT_EQ(some.least, -3.0F) << count;
    EXPECT_EQ(some.most, 5.0F) << count;
  }
}

TEST_P(EveryEnd, QuantizesBitForBit) {
  Random random(10);
  std::vector<float> values = {0.0F,
                               -0.0F,
                               0.5F,
                               1.5F,
                               2.5F,
                               -0.5F,
                               -1.5F,
                               254.5F,
                               255.5F,
                               1e9F,
                               -1e9F,
                               1e38F,
                               -1e38F,
                               kInfinity,
                               -kInfinity,
                               8388607.5F,
                               4194303.5F,
                               1e-40F,
                               0.49999997F};
  for (int i = -600; i <= 600; ++i) values.push_back(static_cast<float>(i) * 0.5F);
  for (int i = 0; i < 500; ++i) values.push_back(static_cast<float>(random.uniform(-200, 300)));
  for (const Quantization quantization : {Quantization{1.0F, 0},
                                          Quantization{1.0F, 128},
                                          Quantization{0.37F, 13},
                                          Quantization{3.0F, 255},
                                          Quantization{1e30F, 7}}) {
    for (const std::size_t count : {std::size_t{1},
                                    std::size_t{3},
                                    std::size_t{17},
                                    std::size_t{31},
                                    std::size_t{33},
                                    values.size()}) {
      const auto quantized = [&](const KernelSet& set) {
        std::vector<std::uint8_t> out(count + 1, 77);
        set.quantize(values.data() + values.size() - count, count, quantization, out.data());
        EXPECT_EQ(out.back(), 77);
        return out;
      };
      EXPECT_EQ(quantized(*GetParam()), quantized(scalar_kernels())) << quantization.inverse;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ends,
                         EveryEnd,
                         testing::ValuesIn(runnable_kernels()),
                         [](const auto& test) { return std::string(test.param->name); });

}  // namespace
}  // namespace lastbit
