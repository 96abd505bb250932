#include "lastbit/detect/priors.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/detect/box_coding.h"

namespace lastbit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

template <typename Work>
std::string refusal(const Work& work) {
  try {
    work();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

// In pixels of an image of 300 x 300.
void expect_pixels(const CentredBox& box, double x, double y, double width, double height) {
  // Of up to 300, after a rounding to float and a product.
  EXPECT_NEAR(box.x * 300.0, x, 1e-4);
  EXPECT_NEAR(box.y * 300.0, y, 1e-4);
  EXPECT_NEAR(box.width * 300.0, width, 1e-4);
  EXPECT_NEAR(box.height * 300.0, height, 1e-4);
}

TEST(Priors, OfSsd300Are8732) {
  const std::vector<PriorMap> maps = ssd300_prior_maps();
  std::vector<std::int64_t> counts;
  for (const PriorMap& map : maps) {
    counts.push_back(map.height * map.width * map.priors_per_cell());
    EXPECT_THAT(make_priors(std::span(&map, 1)), SizeIs(counts.back()));
  }
  EXPECT_THAT(counts, ElementsAre(38 * 38 * 4, 19 * 19 * 6, 10 * 10 * 6, 5 * 5 * 6, 3 * 3 * 4, 4));
  EXPECT_THAT(make_priors(maps), SizeIs(8732));
}

// Sizes in pixels are 30, 60, 111, 162, 213, 264 and 315 in the authors' program.
TEST(Priors, OfSsd300LieAsInTheAuthorsProgram) {
  const std::vector<CentredBox> priors = make_priors(ssd300_prior_maps());
  expect_pixels(priors[0], 4, 4, 30, 30);
  expect_pixels(priors[1], 4, 4, std::sqrt(30.0 * 60.0), std::sqrt(30.0 * 60.0));
  expect_pixels(priors[2], 4, 4, 30 * std::sqrt(2.0), 30 / std::sqrt(2.0));
  expect_pixels(priors[3], 4, 4, 30 / std::sqrt(2.0), 30 * std::sqrt(2.0));
  expect_pixels(priors[4], 12, 4, 30, 30);       // along a row first
  expect_pixels(priors[4 * 38], 4, 12, 30, 30);  // then down
  const std::size_t second = 38 * 38 * 4;
  expect_pixels(priors[second], 8, 8, 60, 60);
  expect_pixels(priors[second + 4], 8, 8, 60 * std::sqrt(3.0), 60 / std::sqrt(3.0));
  expect_pixels(priors[second + 19 * 19 * 6], 16, 16, 111, 111);
  expect_pixels(priors[8732 - 4], 150, 150, 264, 264);
  expect_pixels(priors[8732 - 3], 150, 150, std::sqrt(264.0 * 315.0), std::sqrt(264.0 * 315.0));
}

TEST(Priors, OfAnyMapShareTheImageEvenly) {
  const PriorMap map{.height = 2, .width = 4, .size = 0.5};
  const std::vector<CentredBox> priors = make_priors(std::span(&map, 1));
  ASSERT_THAT(priors, SizeIs(8));
  EXPECT_EQ(priors[0], (CentredBox{0.125F, 0.25F, 0.5F, 0.5F}));
  EXPECT_EQ(priors[7], (CentredBox{0.875F, 0.75F, 0.5F, 0.5F}));
}

TEST(Priors, OfScaledMapsHaveSizesFromLowToHigh) {
  const std::vector<std::int64_t> sides = {8, 4, 2};
  const std::vector<std::vector<double>> ratios = {{}, {2.0}, {2.0, 3.0}};
  const std::vector<PriorMap> maps = scaled_prior_maps(sides, ratios, 0.1, 0.3, 0.9);
  EXPECT_THAT(make_priors(maps), SizeIs(64 * 2 + 16 * 4 + 4 * 6));
  EXPECT_DOUBLE_EQ(maps[0].next_size, 0.3);
  EXPECT_DOUBLE_EQ(maps[2].size, 0.9);
  EXPECT_DOUBLE_EQ(maps[2].next_size, 1.5);
  EXPECT_THAT(refusal([&] { scaled_prior_maps(sides, std::span(ratios).first(2), 0.1, 0.3, 0.9); }),
              HasSubstr("3 maps and ratios for 2"));
}

TEST(Priors, RefusesMapsThatMakeNone) {
  const auto refuse = [](const PriorMap& map) {
    return refusal([&] { make_priors(std::span(&map, 1)); });
  };
  EXPECT_THAT(refuse({.height = 0, .width = 4, .size = 0.5}), HasSubstr("maps[0] is 0 x 4"));
  EXPECT_THAT(refuse({.height = 1, .width = 4}), HasSubstr("has size 0"));
  EXPECT_THAT(refuse({.height = 1, .width = 4, .size = 0.5, .next_size = -1}), HasSubstr("-1"));
  EXPECT_THAT(refuse({.height = 1, .width = 1, .size = 0.5, .ratios = {2, 0}}),
              HasSubstr("a ratio of 0"));
  EXPECT_THAT(refuse({.height = 1, .width = 1, .size = 0.5, .step = NAN}), HasSubstr("step nan"));
}

TEST(BoxCoding, OfAHandComputedBox) {
  // From a prior of 0.2 x 0.4 around (0.5, 0.5) to a box of 0.4 x 0.2 around (0.6, 0.45).
  const CentredBox prior{0.5F, 0.5F, 0.2F, 0.4F};
  const std::array<float, 4> offsets = encode_box({0.4F, 0.35F, 0.8F, 0.55F}, prior, {});
  // Edges of size 1 in float, divided by sides of 0.2 and variances of 0.1: some 50 roundings'
  // size.
  EXPECT_NEAR(offsets[0], 0.1 / 0.2 / 0.1, 1e-5);
  EXPECT_NEAR(offsets[1], -0.05 / 0.4 / 0.1, 1e-5);
  EXPECT_NEAR(offsets[2], std::log(2.0) / 0.2, 1e-5);
  EXPECT_NEAR(offsets[3], -std::log(2.0) / 0.2, 1e-5);
  const std::array<float, 4> zeros{};
  EXPECT_EQ(decode_box(zeros, prior, {}), edges(prior));
}

TEST(BoxCoding, DecodesWhatItEncoded) {
  Random random(5);
  const auto draw = [&] {
    return CentredBox{static_cast<float>(random.uniform()),
                      static_cast<float>(random.uniform()),
                      static_cast<float>(random.uniform(0.01, 1.0)),
                      static_cast<float>(random.uniform(0.01, 1.0))};
  };
  for (int i = 0; i < 2000; ++i) {
    const CentredBox prior = draw();
    const Box box = edges(draw());
    const Variances variances{random.uniform(0.05, 1.0), random.uniform(0.05, 1.0)};
    const Box back = decode_box(encode_box(box, prior, variances), prior, variances);
    // Offsets of up to log(100) are rounded to float, relative to sides of at most 1: 5 * 2^-24; as
    // much again for the edges.
    EXPECT_NEAR(back.left, box.left, 1e-6);
    EXPECT_NEAR(back.top, box.top, 1e-6);
    EXPECT_NEAR(back.right, box.right, 1e-6);
    EXPECT_NEAR(back.bottom, box.bottom, 1e-6);
  }
}

}  // namespace
}  // namespace lastbit
