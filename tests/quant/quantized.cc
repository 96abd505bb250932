#include "lastbit/quant/quantized.h"

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"

namespace lastbit {
namespace {

const Codebook kTernary({-1.0F, 0.0F, 1.0F});

TEST(ChannelLayout, PutsTheAxisInTheMiddle) {
  const std::array<std::int64_t, 4> shape{20, 1, 5, 5};
  EXPECT_EQ(channel_layout(shape, 0), (ChannelLayout{1, 20, 25}));
  EXPECT_EQ(channel_layout(shape, 1), (ChannelLayout{20, 1, 25}));
  EXPECT_EQ(channel_layout(shape, 3), (ChannelLayout{100, 5, 1}));
  const std::array<std::int64_t, 2> matrix{784, 300};
  EXPECT_EQ(channel_layout(matrix, 1), (ChannelLayout{784, 300, 1}));
}

std::string layout_refusal(const std::vector<std::int64_t>& shape, int axis) {
  try {
    channel_layout(shape, axis);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ChannelLayout, RefusesAnAxisOutsideTheShape) {
  EXPECT_EQ(layout_refusal({4, 5}, 2),
            "[layout] channel axis 2 of a shape of 2 dimensions, expected 0 to 2 exclusive");
  EXPECT_EQ(layout_refusal({4, 5}, -1),
            "[layout] channel axis -1 of a shape of 2 dimensions, expected 0 to 2 exclusive");
  EXPECT_EQ(layout_refusal({}, 0),
            "[layout] channel axis 0 of a shape of 0 dimensions, expected 0 to 0 exclusive");
}

TEST(ChannelLayout, RefusesSizesThatCannotBe) {
  EXPECT_EQ(layout_refusal({4, -5}, 0), "[layout] shape (4, -5) has a negative or too large size");
  EXPECT_EQ(layout_refusal({std::int64_t{1} << 40, std::int64_t{1} << 40}, 0),
            "[layout] shape (1099511627776, 1099511627776) has a negative or too large size");
}

TEST(Decode, MultipliesLevelsByTheOneScale) {
  const Quantized quantized{kTernary, Granularity::kTensor, {1, 2, 2}, {0.1F}, {0, 1, 2, 2}, 0.0};
  std::vector<float> out(4);
  decode(quantized, out);
  EXPECT_EQ(out, (std::vector<float>{-0.1F, 0.0F, 0.1F, 0.1F}));
}

TEST(Decode, FollowsTheChannelsWhereverTheyLie) {
  const Quantized quantized{kTernary,
                            Granularity::kChannel,
                            {2, 2, 3},
                            {1.0F, 10.0F},
                            {2, 2, 0, 2, 0, 1, 0, 0, 0, 2, 2, 2},
                            0.0};
  std::vector<float> out(12);
  decode(quantized, out);
  EXPECT_EQ(out, (std::vector<float>{1, 1, -1, 10, -10, 0, -1, -1, -1, 10, 10, 10}));
}

TEST(Decode, CountsGroupsAlongEachChannel) {
  // Five weights a channel: groups of 2, 2 and 1.
  const Quantized quantized{kTernary,
                            Granularity::kGroup,
                            {5, 2, 1},
                            {1, 2, 3, 10, 20, 30},
                            {2, 2, 2, 2, 2, 2, 2, 2, 2, 2},
                            0.0,
                            2};
  std::vector<float> out(10);
  decode(quantized, out);
  EXPECT_EQ(out, (std::vector<float>{1, 10, 1, 10, 2, 20, 2, 20, 3, 30}));
  Quantized wide = quantized;
  wide.layout = {1, 2, 5};
  decode(wide, out);
  EXPECT_EQ(out, (std::vector<float>{1, 1, 2, 2, 3, 10, 10, 20, 20, 30}));
}

TEST(ScaleCount, CountsRunsOfEachChannel) {
  EXPECT_EQ(scale_count(Granularity::kNone, {2, 3, 4}, 0), 1U);
  EXPECT_EQ(scale_count(Granularity::kTensor, {2, 3, 4}, 0), 1U);
  EXPECT_EQ(scale_count(Granularity::kChannel, {2, 3, 4}, 0), 3U);
  EXPECT_EQ(scale_count(Granularity::kGroup, {2, 3, 4}, 4), 6U);
  EXPECT_EQ(scale_count(Granularity::kGroup, {2, 3, 4}, 3), 9U);
  EXPECT_EQ(scale_count(Granularity::kGroup, {2, 3, 4}, 100), 3U);
  EXPECT_THROW(scale_count(Granularity::kGroup, {2, 3, 4}, 0), InputError);
  EXPECT_THROW(scale_count(Granularity::kTensor, {2, 3, 4}, 5), InputError);
}

TEST(Decode, RoundsTheProductOnceInFloat) {
  const Quantized quantized{
      Codebook({0.3F, 0.7F}), Granularity::kNone, {1, 1, 2}, {1.7F}, {0, 1}, 0.0};
  std::vector<float> out(2);
  decode(quantized, out);
  EXPECT_EQ(out[0], 0.3F * 1.7F);
  EXPECT_EQ(out[1], 0.7F * 1.7F);
}

std::string decode_refusal(const Quantized& quantized, std::size_t size) {
  std::vector<float> out(size);
  try {
    decode(quantized, out);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Decode, RefusesSizesThatDoNotMatch) {
  Quantized quantized{kTernary, Granularity::kChannel, {1, 2, 2}, {1, 2}, {0, 1, 2, 2}, 0.0};
  EXPECT_EQ(decode_refusal(quantized, 4), "accepted");
  EXPECT_EQ(decode_refusal(quantized, 3),
            "[decode] 4 codes and 2 scales into 3 weights, expected 4 codes and weights and 2 "
            "scales");
  quantized.scales.pop_back();
  EXPECT_EQ(decode_refusal(quantized, 4),
            "[decode] 4 codes and 1 scales into 4 weights, expected 4 codes and weights and 2 "
            "scales");
  quantized.scales = {1, 2};
  quantized.codes.pop_back();
  EXPECT_EQ(decode_refusal(quantized, 4),
            "[decode] 3 codes and 2 scales into 4 weights, expected 4 codes and weights and 2 "
            "scales");
}

}  // namespace
}  // namespace lastbit
