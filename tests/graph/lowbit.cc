#include "lastbit/graph/lowbit.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "tests/graph/models.h"

namespace lastbit {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

LowBitTensor ternary() {
  return random_lowbit({2, 3, 5}, 1, {-1, 0, 1}, Granularity::kChannel, "ternary/channel");
}

TEST(LowBitTensor, DecodesToLevelTimesScaleOfItsChannel) {
  const Quantized quantized{.levels = Codebook({-1, 0, 2}),
                            .per = Granularity::kChannel,
                            .layout = {2, 2, 1},
                            .scales = {0.5F, 3.0F},
                            .codes = {0, 1, 2, 2}};
  const LowBitTensor packed = pack_lowbit(quantized, {2, 2}, 1, "levels:-1,0,2/channel");
  EXPECT_EQ(packed.scale_shape, (Shape{1, 2}));
  EXPECT_EQ(packed.packed, (std::vector<std::uint8_t>{0 + 3 * 1 + 9 * 2 + 27 * 2}));
  EXPECT_THAT(decode(packed).as_floats(), ::testing::ElementsAre(-0.5F, 0.0F, 1.0F, 6.0F));
}

TEST(LowBitTensor, ComesBackFromPackingForEveryRadixGranularityAndAxis) {
  for (const int radix : {2, 3, 4, 5, 7, 16, 17, 256}) {
    std::vector<float> levels;
    levels.reserve(static_cast<std::size_t>(radix));
    for (int i = 0; i < radix; ++i) levels.push_back(static_cast<float>(i) - 1.5F);
    for (const Granularity per :
         {Granularity::kNone, Granularity::kTensor, Granularity::kChannel}) {
      for (const int axis : {0, 1, 2}) {
        const bool none = per == Granularity::kNone;
        const LowBitTensor packed =
            random_lowbit({3, 5, 7}, axis, levels, per, none ? "some/none" : "some");
        const Quantized back = unpack_lowbit(packed);
        EXPECT_EQ(back.per, per);
        EXPECT_EQ(back.scales, packed.scales);
        const int used_axis = per == Granularity::kChannel ? axis : 0;
        EXPECT_EQ(back.layout, channel_layout(packed.shape, used_axis));
        EXPECT_EQ(pack_lowbit(back, packed.shape, used_axis, packed.set), packed);
      }
    }
  }
}

TEST(LowBitTensor, RefusesALayoutThatIsNotTheShapes) {
  const Quantized quantized = unpack_lowbit(ternary());
  EXPECT_THAT(
      [&] {
        return pack_lowbit(quantized, {2, 3, 5}, 0, "");
      },
      ThrowsMessage<InputError>(HasSubstr("do not fit shape [2, 3, 5]")));
  EXPECT_THAT(
      [&] {
        return pack_lowbit(quantized, {2, 3, 5}, 3, "");
      },
      ThrowsMessage<InputError>(HasSubstr("channel axis 3")));
}

TEST(LowBitTensor, RefusesScalesThatDoNotBroadcast) {
  LowBitTensor tensor = ternary();
  tensor.scale_shape = {3};
  EXPECT_THAT([&] { return decode(tensor); },
              ThrowsMessage<FormatError>(HasSubstr("scales of shape [3] do not fit")));
  tensor.scale_shape = {2, 3, 1};
  EXPECT_THROW(check_lowbit(tensor), FormatError);
  tensor = ternary();
  tensor.scales.pop_back();
  EXPECT_THAT([&] { check_lowbit(tensor); },
              ThrowsMessage<FormatError>("[lowbit] expected 3 scales, got 2"));
}

TEST(LowBitTensor, RefusesScalesThatAreNegativeOrNotFinite) {
  for (const float bad : {-1.0F, std::numeric_limits<float>::infinity(), std::nanf("")}) {
    LowBitTensor tensor = ternary();
    tensor.scales[2] = bad;
    EXPECT_THAT([&] { check_lowbit(tensor); },
                ThrowsMessage<FormatError>(HasSubstr("[lowbit] scales[2] is")));
  }
}

TEST(LowBitTensor, RefusesShapesThatItsCodesDoNotFill) {
  LowBitTensor tensor = ternary();
  for (const Shape& shape :
       {Shape{}, Shape{0, 3, 5}, Shape{-2, 3, 5}, Shape{std::int64_t{1} << 40, 3, 1 << 30}}) {
    tensor.shape = shape;
    EXPECT_THROW(check_lowbit(tensor), FormatError);
  }
  tensor = ternary();
  tensor.packed = {tensor.packed.data()[0], tensor.packed.data()[1], 0};
  EXPECT_THROW(check_lowbit(tensor), FormatError);
  tensor = ternary();
  tensor.packed = {tensor.packed.data()[0], 243};
  EXPECT_THROW(check_lowbit(tensor), FormatError);
}

LowBitTensor grouped() {
  return random_lowbit({2, 3, 5}, 1, {-1, 0, 1}, Granularity::kGroup, "ternary/group:4", 1, 4);
}

TEST(LowBitTensor, ComesBackFromPackingByGroup) {
  for (const int axis : {0, 1, 2}) {
    for (const std::int64_t group : {1, 4, 5, 1000}) {
      const LowBitTensor packed =
          random_lowbit({3, 5, 7}, axis, {-1, 0, 1}, Granularity::kGroup, "some", 1, group);
      const Quantized back = unpack_lowbit(packed);
      EXPECT_EQ(back.per, Granularity::kGroup);
      EXPECT_EQ(back.layout, channel_layout(packed.shape, axis));
      EXPECT_EQ(back.group, std::min(group, 105 / packed.shape[static_cast<std::size_t>(axis)]));
      EXPECT_EQ(pack_lowbit(back, packed.shape, axis, packed.set), packed);
    }
  }
}

TEST(LowBitTensor, DecodesToLevelTimesScaleOfItsGroup) {
  const Quantized quantized{.levels = Codebook({0, 1}),
                            .per = Granularity::kGroup,
                            .layout = {3, 2, 1},
                            .scales = {1, 2, 3, 4},
                            .codes = {1, 1, 1, 1, 1, 1},
                            .squared_error = 0.0,
                            .group = 2};
  const LowBitTensor packed = pack_lowbit(quantized, {3, 2}, 1, "");
  EXPECT_EQ(packed.scale_shape, (Shape{2, 2, 1}));
  EXPECT_THAT(decode(packed).as_floats(), ::testing::ElementsAre(1, 3, 1, 3, 2, 4));
}

TEST(LowBitTensor, RefusesGroupsThatDoNotFit) {
  const auto refuse = [](const LowBitTensor& tensor, const std::string& words) {
    EXPECT_THAT([&] { check_lowbit(tensor); }, ThrowsMessage<FormatError>(HasSubstr(words)));
  };
  check_lowbit(grouped());
  LowBitTensor tensor = grouped();
  tensor.group = -1;
  refuse(tensor, "groups of -1 weights, expected 1 to 10");
  tensor.group = 11;
  refuse(tensor, "groups of 11 weights, expected 1 to 10");
  tensor.group = 5;
  refuse(tensor, "scales of shape [3, 3, 1], expected [3, 2, 1] for groups of 5 weights");
  for (const ChannelLayout& layout : {ChannelLayout{2, 3, 4},
                                      ChannelLayout{-2, 3, -5},
                                      ChannelLayout{0, 3, 5},
                                      ChannelLayout{std::int64_t{1} << 62, 3, 16}}) {
    tensor = grouped();
    tensor.layout = layout;
    refuse(tensor, "do not fit a tensor of shape [2, 3, 5]");
  }
  tensor = grouped();
  tensor.scale_shape = {9};
  refuse(tensor, "scales of shape [9], expected [3, 3, 1]");
  tensor = grouped();
  tensor.scales.pop_back();
  refuse(tensor, "expected 9 scales, got 8");
}

}  // namespace
}  // namespace lastbit
