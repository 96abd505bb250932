#include "lastbit/train/augment.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "support.h"

namespace lastbit {
namespace {

using ::testing::HasSubstr;

torch::Tensor random_images(std::int64_t count, const Shape& shape, std::uint64_t seed = 1) {
  const RandomSamples samples(count, shape, 1, seed);
  return torch::tensor(samples.values()).view({count, shape[0], shape[1], shape[2]});
}

torch::Tensor run(const torch::Tensor& images,
                  const char* how,
                  const std::vector<std::int64_t>& samples,
                  std::int64_t epoch = 0,
                  const torch::Tensor& fill = {}) {
  return augment(images, Augmentation::parse(how), samples, {.seed = 7, .epoch = epoch}, fill);
}

std::vector<std::int64_t> numbers(std::int64_t count) {
  std::vector<std::int64_t> all;
  for (std::int64_t i = 0; i < count; ++i) all.push_back(i);
  return all;
}

// The pixel of a padded image at (y, x), which may lie outside.
float padded(const torch::Tensor& image,
             std::int64_t c,
             std::int64_t y,
             std::int64_t x,
             bool reflect,
             float fill) {
  const auto inside = [&](std::int64_t& at, std::int64_t size) {
    if (reflect && at < 0) at = -at;
    if (reflect && at >= size) at = 2 * (size - 1) - at;
    return at >= 0 && at < size;
  };
  if (!inside(y, image.size(1)) || !inside(x, image.size(2))) return fill;
  return image[c][y][x].item<float>();
}

// All that the augmentation could make of one image: every place, unflipped and flipped.
std::vector<torch::Tensor> possible(const torch::Tensor& image,
                                    std::int64_t pad,
                                    std::int64_t side_y,
                                    std::int64_t side_x,
                                    bool reflect,
                                    const std::vector<float>& fill) {
  std::vector<torch::Tensor> all;
  for (std::int64_t top = -pad; top + side_y <= image.size(1) + pad; ++top) {
    for (std::int64_t left = -pad; left + side_x <= image.size(2) + pad; ++left) {
      const torch::Tensor out = torch::empty({image.size(0), side_y, side_x});
      for (std::int64_t c = 0; c < image.size(0); ++c) {
        for (std::int64_t y = 0; y < side_y; ++y) {
          for (std::int64_t x = 0; x < side_x; ++x) {
            out[c][y][x] =
                padded(image, c, top + y, left + x, reflect, fill[static_cast<std::size_t>(c)]);
          }
        }
      }
      // Reflections of two places may be equal.
      for (const torch::Tensor& one : {out, out.flip(2)}) {
        const auto equal = [&](const torch::Tensor& other) { return other.equal(one); };
        if (std::none_of(all.begin(), all.end(), equal)) all.push_back(one);
      }
    }
  }
  return all;
}

// Each result must be one of the possible ones to the bit, and most of these must turn up.
void expect_possible(const char* how, std::int64_t pad, std::int64_t side, bool reflect) {
  const torch::Tensor image = random_images(1, {2, 5, 4})[0];
  const std::int64_t count = 600;
  const torch::Tensor fill = torch::tensor({0.25F, -3.0F});
  const torch::Tensor out =
      run(image.expand({count, 2, 5, 4}).contiguous(), how, numbers(count), 3, fill);
  const auto all =
      possible(image, pad, side == 0 ? 5 : side, side == 0 ? 4 : side, reflect, {0.25F, -3.0F});
  std::set<std::size_t> seen;
  for (std::int64_t n = 0; n < count; ++n) {
    std::size_t found = all.size();
    for (std::size_t i = 0; i < all.size() && found == all.size(); ++i) {
      if (out[n].equal(all[i])) found = i;
    }
    ASSERT_LT(found, all.size()) << how << " sample " << n;
    seen.insert(found);
  }
  // With 600 draws of at most 50 equal chances, one is missing with probability 3e-4.
  EXPECT_EQ(seen.size(), all.size()) << how;
}

TEST(Augment, PadsAndCropsToTheBit) { expect_possible("pad2-flip", 2, 0, false); }
TEST(Augment, ReflectsToTheBit) { expect_possible("reflect2-flip", 2, 0, true); }
TEST(Augment, CropsToTheBit) { expect_possible("crop3-flip", 0, 3, false); }
TEST(Augment, FlipsToTheBit) { expect_possible("flip", 0, 0, false); }

TEST(Augment, NoneLeavesTheImages) {
  const torch::Tensor images = random_images(3, {1, 4, 4});
  EXPECT_TRUE(run(images, "none", numbers(3)).equal(images));
  EXPECT_TRUE(cut_middle(images, Augmentation::parse("pad4-flip")).equal(images));
}

TEST(Augment, ASampleDoesNotDependOnItsBatch) {
  const torch::Tensor images = random_images(6, {3, 8, 8});
  for (const char* how : {"pad2-flip", "reflect3", "crop5-flip", "resized6-flip"}) {
    const torch::Tensor all = run(images, how, {10, 11, 12, 13, 14, 15}, 2);
    const torch::Tensor again = run(images, how, {10, 11, 12, 13, 14, 15}, 2);
    EXPECT_TRUE(all.equal(again)) << how;
    const torch::Tensor some = run(images.index_select(0, torch::tensor({4, 1})), how, {14, 11}, 2);
    EXPECT_TRUE(some[0].equal(all[4])) << how;
    EXPECT_TRUE(some[1].equal(all[1])) << how;
    EXPECT_FALSE(run(images, how, {10, 11, 12, 13, 14, 15}, 3).equal(all)) << how;
    EXPECT_FALSE(run(images, how, {20, 21, 22, 23, 24, 25}, 2).equal(all)) << how;
  }
}

// An image whose channels are its coordinates shows where each pixel comes from: bilinear sampling
// of a linear function is exact but for the border.
TEST(Augment, ResizedCropsAreBoxesOfTheImage) {
  const std::int64_t side = 64;
  const torch::Tensor line = torch::arange(side, torch::kFloat32);
  const torch::Tensor image = torch::stack(
      {line.view({side, 1}).expand({side, side}), line.view({1, side}).expand({side, side})});
  const std::int64_t count = 300;
  const torch::Tensor out =
      run(image.expand({count, 2, side, side}).contiguous(), "resized16-flip", numbers(count));
  ASSERT_EQ(out.sizes(), (std::vector<std::int64_t>{count, 2, 16, 16}));
  std::int64_t flipped = 0;
  double least = 1.0;
  double most = 0.0;
  for (std::int64_t n = 0; n < count; ++n) {
    // Steps of the inner pixels, which no border has touched.
    const double down = (out[n][0][14][8] - out[n][0][1][8]).item<double>() / 13.0;
    const double across = (out[n][1][8][14] - out[n][1][8][1]).item<double>() / 13.0;
    flipped += across < 0.0;
    const double height = 16.0 * down;
    const double width = 16.0 * std::abs(across);
    // Boxes are of whole pixels; positions in [-1, 1] are rounded to float.
    ASSERT_NEAR(height, std::round(height), 1e-3);
    ASSERT_NEAR(width, std::round(width), 1e-3);
    const double area = height * width / double(side * side);
    least = std::min(least, area);
    most = std::max(most, area);
    // Half a pixel of rounding each way.
    ASSERT_LE((width - 0.5) / (height + 0.5), 4.0 / 3.0);
    ASSERT_GE((width + 0.5) / (height - 0.5), 3.0 / 4.0);
    const double top = out[n][0][8][8].item<double>() - 8.5 * down + 0.5;
    ASSERT_NEAR(top, std::round(top), 1e-3);
    ASSERT_GE(top, -1e-3);
    ASSERT_LE(top + height, side + 1e-3);
  }
  EXPECT_NEAR(double(flipped), count / 2.0, 5.0 * std::sqrt(count / 4.0));
  EXPECT_LT(least, 0.12);
  EXPECT_GT(least, 0.07);
  EXPECT_GT(most, 0.9);
}

TEST(CutMiddle, TakesTheMiddleOrEnlarges) {
  const torch::Tensor images = random_images(2, {1, 6, 8});
  EXPECT_TRUE(
      cut_middle(images, Augmentation::parse("crop4")).equal(images.slice(2, 1, 5).slice(3, 2, 6)));
  EXPECT_TRUE(cut_middle(images[0], Augmentation::parse("crop4"))
                  .equal(images[0].slice(1, 1, 5).slice(2, 2, 6)));
  EXPECT_EQ(cut_middle(images, Augmentation::parse("resized9")).sizes(),
            (std::vector<std::int64_t>{2, 1, 9, 9}));
}

TEST(Augmentation, IsReadAndRefused) {
  EXPECT_FALSE(Augmentation::parse("none").any());
  EXPECT_TRUE(Augmentation::parse("flip").flip);
  const Augmentation pad = Augmentation::parse("pad4-flip");
  EXPECT_EQ(pad.crop, Augmentation::Crop::kPad);
  EXPECT_EQ(pad.amount, 4);
  EXPECT_TRUE(pad.flip);
  EXPECT_FALSE(Augmentation::parse("resized224").flip);
  for (const char* bad : {"",
                          "-flip",
                          "pad",
                          "pad0",
                          "pad4-",
                          "pad4-flop",
                          "crop4096x",
                          "crop5000",
                          "flip-flip",
                          "pad-4",
                          "pad4flip"}) {
    EXPECT_THAT(message_of<InputError>([&] { Augmentation::parse(bad); }), HasSubstr("[augment]"))
        << bad;
  }
}

TEST(Augmentation, SaysWhatItMakesOfASample) {
  const auto shape = [](const char* how, const Shape& sample) {
    return Augmentation::parse(how).output_shape(sample);
  };
  EXPECT_EQ(shape("pad4-flip", {3, 32, 32}), (Shape{3, 32, 32}));
  EXPECT_EQ(shape("crop24", {3, 32, 40}), (Shape{3, 24, 24}));
  EXPECT_EQ(shape("resized48", {3, 32, 40}), (Shape{3, 48, 48}));
  EXPECT_EQ(shape("none", {784}), (Shape{784}));
  const auto refusal = [&](const char* how, const Shape& sample) {
    return message_of<InputError>([&] { shape(how, sample); });
  };
  EXPECT_THAT(refusal("flip", {784}), HasSubstr("are no images"));
  EXPECT_THAT(refusal("crop33", {3, 32, 40}), HasSubstr("crop33 is larger than an image"));
  EXPECT_THAT(refusal("reflect32", {3, 32, 40}), HasSubstr("reaches beyond"));
}

}  // namespace
}  // namespace lastbit
