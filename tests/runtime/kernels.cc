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

std::vector<float> random_floats(std::size_t count, Random& random) {
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(random.uniform(-1, 1));
  return values;
}

// Two sums of `depth` products of at most 1, in any order, each off by depth^2 * 2^-24 at most.
double tolerance(std::size_t depth) {
  return 2.0 * static_cast<double>(depth) * static_cast<double>(depth + 1) * 0x1p-24;
}

TEST_P(EveryKernelSet, DotAgreesForAllSizes) {
  Random random(1);
  for (const std::size_t depth : {0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 100}) {
    for (std::size_t x_rows = 1; x_rows <= 7; ++x_rows) {
      for (std::size_t w_rows = 1; w_rows <= kDotRows; ++w_rows) {
        const auto x = random_floats(x_rows * depth, random);
        const auto w = random_floats(w_rows * depth, random);
        std::vector<float> expected(x_rows * 10, -1.0F);
        std::vector<float> got = expected;
        scalar_kernels().dot(
            x.data(), depth, x_rows, w.data(), depth, w_rows, depth, expected.data(), 10);
        GetParam()->dot(x.data(), depth, x_rows, w.data(), depth, w_rows, depth, got.data(), 10);
        for (std::size_t i = 0; i < got.size(); ++i) {
          ASSERT_NEAR(got[i], expected[i], tolerance(depth))
              << depth << ", " << x_rows << " x " << w_rows << ", at " << i;
        }
      }
    }
  }
}

// The bits of a result must not depend on the rows that are computed with it.
TEST_P(EveryKernelSet, DotGivesTheSameBitsRowByRow) {
  Random random(2);
  constexpr std::size_t kDepth = 77;
  const auto x = random_floats(7 * kDepth, random);
  const auto w = random_floats(kDotRows * kDepth, random);
  std::vector<float> together(7 * kDotRows);
  GetParam()->dot(
      x.data(), kDepth, 7, w.data(), kDepth, kDotRows, kDepth, together.data(), kDotRows);
  for (std::size_t i = 0; i < 7; ++i) {
    for (std::size_t j = 0; j < kDotRows; ++j) {
      float alone = 0.0F;
      GetParam()->dot(&x[i * kDepth], kDepth, 1, &w[j * kDepth], kDepth, 1, kDepth, &alone, 1);
      EXPECT_EQ(alone, together[i * kDotRows + j]);
    }
  }
}

TEST_P(EveryKernelSet, PanelAgreesForAllSizes) {
  Random random(3);
  for (const std::size_t depth : {1, 2, 5, 33}) {
    for (const std::size_t width : {16, 32, 48, 64, 80, 144}) {
      for (std::size_t rows = 1; rows <= kPanelRows; ++rows) {
        const auto w = random_floats(rows * depth, random);
        const auto columns = random_floats(depth * width, random);
        std::vector<float> expected(rows * width);
        std::vector<float> got(rows * width);
        scalar_kernels().panel(
            w.data(), depth, rows, columns.data(), depth, width, expected.data());
        GetParam()->panel(w.data(), depth, rows, columns.data(), depth, width, got.data());
        for (std::size_t i = 0; i < got.size(); ++i) {
          ASSERT_NEAR(got[i], expected[i], tolerance(depth))
              << rows << " x " << width << " at " << i;
        }
      }
    }
  }
}

// Random codes for rows of `depth` weights.
struct RandomCodes {
  RandomCodes(int bits, std::size_t rows, std::size_t depth, Random& random)
      : stride((depth + kCodeBlock - 1) / kCodeBlock * kCodeBlock),
        fields(rows * stride * static_cast<std::size_t>(bits) / 8) {
    const std::size_t codes = std::size_t{1} << static_cast<unsigned>(bits);
    const auto levels = random_floats(codes, random);
    for (std::size_t i = 0; i < std::max(codes, kCodeBlock); ++i)
      table.push_back(levels[i % codes]);
    for (std::uint8_t& byte : fields) byte = static_cast<std::uint8_t>(random.below(256));
    view = {.fields = fields.data(), .stride = stride, .bits = bits, .table = table.data()};
  }

  std::size_t stride;
  std::vector<std::uint8_t> fields;
  std::vector<float> table;
  CodeRows view{};
};

TEST_P(EveryKernelSet, DecodesBitForBitAndWritesNothingBeyond) {
  Random random(4);
  for (const int bits : {1, 2, 4, 8}) {
    for (const std::size_t depth : {1, 16, 17, 100}) {
      for (std::size_t rows = 0; rows <= 5; ++rows) {
        const RandomCodes w(bits, rows, depth, random);
        std::vector<float> expected(rows * w.stride + 1, -2.0F);
        std::vector<float> got = expected;
        scalar_kernels().decode(w.view, rows, expected.data());
        GetParam()->decode(w.view, rows, got.data());
        EXPECT_EQ(got, expected) << bits << " bits, " << rows << " x " << depth;
        EXPECT_EQ(got.back(), -2.0F);
      }
    }
  }
}

TEST_P(EveryKernelSet, DotOfCodesGivesTheBitsOfDotOnDecodedRows) {
  Random random(5);
  for (const int bits : {1, 2, 4, 8}) {
    for (const std::size_t depth : {1, 3, 8, 15, 16, 17, 33, 100}) {
      for (std::size_t x_rows = 1; x_rows <= 4; ++x_rows) {
        for (std::size_t w_rows = 1; w_rows <= kDotRows; ++w_rows) {
          const RandomCodes w(bits, w_rows, depth, random);
          const auto x = random_floats(x_rows * depth, random);
          std::vector<float> decoded(w_rows * w.stride);
          GetParam()->decode(w.view, w_rows, decoded.data());
          std::vector<float> expected(x_rows * 10, -2.0F);
          std::vector<float> got = expected;
          GetParam()->dot(x.data(),
                          depth,
                          x_rows,
                          decoded.data(),
                          w.stride,
                          w_rows,
                          depth,
                          expected.data(),
                          10);
          GetParam()->dot_codes(x.data(), depth, x_rows, w.view, w_rows, depth, got.data(), 10);
          EXPECT_EQ(got, expected)
              << bits << " bits, " << x_rows << " x " << w_rows << " x " << depth;
        }
      }
    }
  }
}

TEST(ScalarKernels, ReadFieldsFromTheLowestBitsUp) {
  std::vector<float> table(kCodeBlock);
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<float>(i % 4);
  const std::vector<std::uint8_t> fields = {0b11100100, 0b00011011, 0, 0xFF};
  const CodeRows w{.fields = fields.data(), .stride = 16, .bits = 2, .table = table.data()};
  std::vector<float> got(kCodeBlock);
  scalar_kernels().decode(w, 1, got.data());
  EXPECT_EQ(got, (std::vector<float>{0, 1, 2, 3, 3, 2, 1, 0, 0, 0, 0, 0, 3, 3, 3, 3}));
}

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
