#include "lastbit/data/detection_augment.h"

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"

namespace lastbit {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::array<std::uint8_t, 3> kGround = {1, 2, 3};

Image random_image(const ImageSize& size, Random& random) {
  Image image{.size = size, .pixels = {}};
  image.pixels.resize(static_cast<std::size_t>(3 * size.height * size.width));
  for (std::uint8_t& value : image.pixels) value = static_cast<std::uint8_t>(random.below(256));
  return image;
}

std::uint8_t pixel(const Image& image, std::int64_t y, std::int64_t x, std::size_t c) {
  return image.pixels[static_cast<std::size_t>(3 * (y * image.size.width + x)) + c];
}

std::vector<std::uint8_t> cut(const Image& image,
                              const ImageWindow& window,
                              const ImageSize& size) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(3 * size.height * size.width));
  cut_window(image, window, size, kGround, out);
  return out;
}

// The window as an image of its own, with the ground painted.
Image painted(const Image& image, const ImageWindow& window) {
  Image out{.size = window.size, .pixels = {}};
  for (std::int64_t y = window.top; y < window.top + window.size.height; ++y) {
    for (std::int64_t x = window.left; x < window.left + window.size.width; ++x) {
      const bool inside = y >= 0 && y < image.size.height && x >= 0 && x < image.size.width;
      for (std::size_t c = 0; c < 3; ++c) {
        out.pixels.push_back(inside ? pixel(image, y, x, c) : kGround.at(c));
      }
    }
  }
  return out;
}

TEST(CutWindow, OfTheSameSizeCopies) {
  Random random(1);
  const Image image = random_image({5, 7}, random);
  const std::vector<std::uint8_t> planes = cut(image, whole(image.size), image.size);
  for (std::size_t i = 0; i < planes.size(); ++i) {
    EXPECT_EQ(planes[i], image.pixels[i % 35 * 3 + i / 35]);
  }
  const ImageWindow beyond = {.left = -3, .top = 4, .size = {3, 5}};
  const Image expected = painted(image, beyond);
  EXPECT_EQ(cut(image, beyond, beyond.size), cut(expected, whole(beyond.size), beyond.size));
  EXPECT_THAT(cut(image, {.left = 50, .top = 0, .size = {2, 2}}, {1, 1}), ElementsAre(1, 2, 3));
}

TEST(CutWindow, ShowsTheGroundAroundTheImage) {
  Random random(2);
  for (int round = 0; round < 200; ++round) {
    const Image image = random_image({1 + static_cast<std::int64_t>(random.below(9)),
                                      1 + static_cast<std::int64_t>(random.below(9))},
                                     random);
    const ImageWindow window = {.left = static_cast<std::int64_t>(random.below(20)) - 12,
                                .top = static_cast<std::int64_t>(random.below(20)) - 12,
                                .size = {1 + static_cast<std::int64_t>(random.below(14)),
                                         1 + static_cast<std::int64_t>(random.below(14))},
                                .flipped = random.below(2) == 1};
    const ImageSize size = {1 + static_cast<std::int64_t>(random.below(12)),
                            1 + static_cast<std::int64_t>(random.below(12))};
    const ImageWindow all = {.left = 0, .top = 0, .size = window.size, .flipped = window.flipped};
    const std::vector<std::uint8_t> ours = cut(image, window, size);
    const std::vector<std::uint8_t> theirs = cut(painted(image, window), all, size);
    for (std::size_t i = 0; i < ours.size(); ++i) {
      // The ground is summed at once or pixel by pixel: a rounding that may fall to the other side.
      EXPECT_LE(std::abs(int{ours[i]} - int{theirs[i]}), 1);
    }
  }
}

TEST(CutWindow, FlipsExchangeLeftAndRight) {
  Random random(3);
  const Image image = random_image({6, 9}, random);
  ImageWindow window = {.left = -2, .top = 1, .size = {8, 10}};
  const ImageSize size = {4, 7};
  const std::vector<std::uint8_t> straight = cut(image, window, size);
  window.flipped = true;
  std::vector<std::uint8_t> turned = cut(image, window, size);
  for (auto row = turned.begin(); row != turned.end(); row += 7) std::reverse(row, row + 7);
  EXPECT_EQ(turned, straight);
}

TEST(CutWindow, RefusesWhatHasNoPixels) {
  Random random(4);
  const Image image = random_image({2, 2}, random);
  std::vector<std::uint8_t> out(12);
  EXPECT_THROW(cut_window(image, {.left = 0, .top = 0, .size = {0, 2}}, {2, 2}, {}, out),
               InputError);
  EXPECT_THROW(cut_window(image, whole(image.size), {2, 3}, {}, out), InputError);
  EXPECT_THROW(cut_window(image, whole(image.size), {0, 3}, {}, {}), InputError);
}

LabelledBox object(const Box& box, std::int32_t label = 0) { return {.box = box, .label = label}; }

TEST(ObjectsIn, KeepsThoseWhoseMiddleIsInside) {
  const std::vector<LabelledBox> objects = {
      object({0, 0, 4, 4}, 1), object({2, 2, 10, 6}, 2), object({0, 0, 8, 8}, 3)};
  // The first one's middle lies on the edge.
  const ImageWindow window = {.left = 2, .top = 2, .size = {4, 8}};
  const std::vector<LabelledBox> inside = objects_in(window, objects);
  ASSERT_THAT(inside, SizeIs(2));
  EXPECT_EQ(inside[0], object({0, 0, 1, 1}, 2));
  EXPECT_EQ(inside[1], object({0, 0, 0.75F, 1}, 3));
}

TEST(ObjectsIn, FlippedTwiceAreThemselves) {
  const std::vector<LabelledBox> objects = {object({1, 2, 3, 7}), object({0, 0, 8, 8})};
  ImageWindow window = whole({8, 8});
  window.flipped = true;
  std::vector<LabelledBox> turned = objects_in(window, objects);
  EXPECT_EQ(turned[0].box, (Box{0.625F, 0.25F, 0.875F, 0.875F}));
  EXPECT_EQ(turned[1].box, (Box{0, 0, 1, 1}));
  for (LabelledBox& one : turned) {
    for (float* edge : {&one.box.left, &one.box.top, &one.box.right, &one.box.bottom}) *edge *= 8;
  }
  const std::vector<LabelledBox> back = objects_in(window, turned);
  EXPECT_EQ(back[0].box, (Box{0.125F, 0.25F, 0.375F, 0.875F}));
}

TEST(DrawExpansion, HoldsTheImage) {
  Random random(5);
  std::int64_t widest = 0;
  for (int i = 0; i < 300; ++i) {
    const ImageWindow window = draw_expansion({30, 50}, 4.0, random);
    EXPECT_LE(window.left, 0);
    EXPECT_LE(window.top, 0);
    EXPECT_GE(window.left + window.size.width, 50);
    EXPECT_GE(window.top + window.size.height, 30);
    EXPECT_LE(window.size.width, 200);
    // Both sides are floors of the same ratio.
    EXPECT_NEAR(static_cast<double>(window.size.height) / 30.0,
                static_cast<double>(window.size.width) / 50.0,
                1 / 30.0 + 1 / 50.0);
    widest = std::max(widest, window.size.width);
  }
  EXPECT_GT(widest, 150);
  EXPECT_EQ(draw_expansion({30, 50}, 1.0, random), whole({30, 50}));
}

TEST(DrawCrop, IsWhatItPromises) {
  Random random(6);
  const std::vector<LabelledBox> objects = {object({10, 10, 30, 40}), object({60, 5, 95, 70})};
  const ImageWindow window = {.left = -20, .top = -10, .size = {120, 160}};
  int all = 0;
  std::array<int, 10> overlaps{};
  for (int i = 0; i < 1000; ++i) {
    const ImageWindow crop = draw_crop(window, objects, random);
    if (crop == window) {
      ++all;
      continue;
    }
    EXPECT_GE(crop.left, window.left);
    EXPECT_GE(crop.top, window.top);
    EXPECT_LE(crop.left + crop.size.width, window.left + window.size.width);
    EXPECT_LE(crop.top + crop.size.height, window.top + window.size.height);
    EXPECT_GE(crop.size.width, 48);
    EXPECT_GE(crop.size.height, 36);
    EXPECT_LE(crop.size.width, 2 * crop.size.height);
    EXPECT_LE(crop.size.height, 2 * crop.size.width);
    EXPECT_THAT(objects_in(crop, objects), ::testing::Not(IsEmpty()));
    const Box edges = {static_cast<float>(crop.left),
                       static_cast<float>(crop.top),
                       static_cast<float>(crop.left + crop.size.width),
                       static_cast<float>(crop.top + crop.size.height)};
    const double most = std::max(iou(objects[0].box, edges), iou(objects[1].box, edges));
    ++overlaps.at(static_cast<std::size_t>(10 * most));
  }
  // A seventh or more is whole, since what cannot be found is drawn anew; close crops are there
  // too.
  EXPECT_GT(all, 100);
  EXPECT_LT(all, 600);
  EXPECT_GT(overlaps[5] + overlaps[6] + overlaps[7], 50);
  EXPECT_EQ(draw_crop(window, {}, random), window);
}

// Objects of one colour each on black: wherever they end up, their boxes hold their colours.
class Augmented : public ::testing::Test {
 protected:
  static DetectionSample sample() {
    DetectionSample one{.index = 0, .image = {.size = {60, 80}, .pixels = {}}, .objects = {}};
    one.image.pixels.resize(60 * 80 * 3);
    one.objects = {object({5, 10, 35, 50}, 0), object({50, 20, 75, 45}, 1)};
    for (const LabelledBox& box : one.objects) {
      for (auto y = static_cast<std::size_t>(box.box.top);
           y < static_cast<std::size_t>(box.box.bottom);
           ++y) {
        for (auto x = static_cast<std::size_t>(box.box.left);
             x < static_cast<std::size_t>(box.box.right);
             ++x) {
          one.image.pixels[3 * (80 * y + x) + static_cast<std::size_t>(box.label)] = 200;
        }
      }
    }
    return one;
  }
};

TEST_F(Augmented, BoxesStayWithTheirPixels) {
  const ImageSize size = {64, 64};
  int seen = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    DetectionAugmentation augmentation;
    augmentation.colours = false;
    const BoxedSample result = augment(sample(), augmentation, size, random);
    ASSERT_THAT(result.pixels, SizeIs(3 * 64 * 64));
    EXPECT_THAT(result.objects, ::testing::Not(IsEmpty()));
    for (const LabelledBox& one : result.objects) {
      EXPECT_TRUE(has_area(one.box));
      EXPECT_EQ(clipped(one.box, 1.0F, 1.0F), one.box);
      // A pixel at each edge may be mixed with what lies beyond.
      const auto in_pixels = [](float edge) { return static_cast<int>(64.0F * edge); };
      for (int y = in_pixels(one.box.top) + 2; y < in_pixels(one.box.bottom) - 1; ++y) {
        for (int x = in_pixels(one.box.left) + 2; x < in_pixels(one.box.right) - 1; ++x) {
          const auto at = static_cast<std::size_t>(64 * y + x);
          EXPECT_EQ(result.pixels[static_cast<std::size_t>(one.label) * 4096 + at], 200);
          EXPECT_EQ(result.pixels[static_cast<std::size_t>(1 - one.label) * 4096 + at], 0);
          ++seen;
        }
      }
    }
  }
  EXPECT_GT(seen, 10000);
}

TEST_F(Augmented, IsAFunctionOfTheSeed) {
  std::vector<std::vector<std::uint8_t>> different;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random first(seed);
    Random second(seed);
    const BoxedSample a = augment(sample(), {}, {32, 32}, first);
    const BoxedSample b = augment(sample(), {}, {32, 32}, second);
    EXPECT_EQ(a.pixels, b.pixels);
    EXPECT_EQ(a.objects, b.objects);
    EXPECT_EQ(first.state(), second.state());
    different.push_back(a.pixels);
  }
  std::ranges::sort(different);
  EXPECT_EQ(std::ranges::unique(different).size(), 0U);
}

TEST_F(Augmented, WithoutAnythingIsTheStretchedImage) {
  Random random(7);
  const Random::State before = random.state();
  const DetectionSample one = sample();
  const BoxedSample result = augment(one, DetectionAugmentation::none(), {30, 30}, random);
  EXPECT_EQ(result.pixels, cut(one.image, whole(one.image.size), {30, 30}));
  EXPECT_EQ(result.objects[0].box, (Box{5 / 80.0F, 10 / 60.0F, 35 / 80.0F, 50 / 60.0F}));
  EXPECT_EQ(random.state(), before);
}

Image one_pixel(std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
  return {.size = {1, 1}, .pixels = {red, green, blue}};
}

std::vector<std::uint8_t> shifted(const ColourShift& shift, Image image) {
  shift_colours(shift, image);
  return image.pixels;
}

TEST(ShiftColours, OfHandComputedColours) {
  EXPECT_THAT(shifted({}, one_pixel(10, 100, 255)), ElementsAre(10, 100, 255));
  EXPECT_THAT(shifted({.brightness = 20}, one_pixel(10, 100, 250)), ElementsAre(30, 120, 255));
  EXPECT_THAT(shifted({.brightness = -20}, one_pixel(10, 100, 250)), ElementsAre(0, 80, 230));
  EXPECT_THAT(shifted({.contrast = 1.5}, one_pixel(10, 100, 250)), ElementsAre(15, 150, 255));
  EXPECT_THAT(shifted({.saturation = 0}, one_pixel(10, 100, 250)), Each(250));
  EXPECT_THAT(shifted({.saturation = 0.5}, one_pixel(0, 100, 200)), ElementsAre(100, 150, 200));
  EXPECT_THAT(shifted({.hue = 120}, one_pixel(10, 100, 250)), ElementsAre(250, 10, 100));
  EXPECT_THAT(shifted({.hue = -120}, one_pixel(10, 100, 250)), ElementsAre(100, 250, 10));
  EXPECT_THAT(shifted({.hue = 90}, one_pixel(77, 77, 77)), Each(77));
  EXPECT_THAT(
      shifted({.brightness = 100, .contrast = 2, .contrast_last = true}, one_pixel(10, 10, 10)),
      Each(220));
}

// By way of hue, saturation and value in doubles, as in the textbooks.
TEST(ShiftColours, TurnsTheHueOfTheTextbook) {
  Random random(9);
  for (int i = 0; i < 3000; ++i) {
    const Image image = random_image({1, 1}, random);
    const ColourShift shift{.saturation = static_cast<float>(random.uniform(0.5, 1.5)),
                            .hue = static_cast<float>(random.uniform(-18, 18))};
    const double r = image.pixels[0];
    const double g = image.pixels[1];
    const double b = image.pixels[2];
    const double value = std::max({r, g, b});
    const double chroma = value - std::min({r, g, b});
    double hue = 0.0;
    if (chroma > 0) {
      hue = value == r   ? std::fmod((g - b) / chroma + 6, 6)
            : value == g ? (b - r) / chroma + 2
                         : (r - g) / chroma + 4;
    }
    const double saturation = value > 0 ? std::min(1.0, chroma / value * shift.saturation) : 0.0;
    hue = std::fmod(60 * hue + shift.hue + 360, 360) / 60;
    const double full = value * saturation;
    const double other = full * (1 - std::abs(std::fmod(hue, 2) - 1));
    const std::array<std::array<double, 3>, 6> sextants = {{{full, other, 0},
                                                            {other, full, 0},
                                                            {0, full, other},
                                                            {0, other, full},
                                                            {other, 0, full},
                                                            {full, 0, other}}};
    const std::vector<std::uint8_t> ours = shifted(shift, image);
    for (std::size_t c = 0; c < 3; ++c) {
      const double exact = sextants.at(static_cast<std::size_t>(hue)).at(c) + value - full;
      EXPECT_NEAR(ours[c], exact, 0.5 + 1e-3);  // rounded to a byte, from floats of up to 255
    }
  }
}

TEST(DrawColourShift, StaysWithinItsRanges) {
  Random random(10);
  int same = 0;
  for (int i = 0; i < 500; ++i) {
    const ColourShift shift = draw_colour_shift(random);
    EXPECT_LE(std::abs(shift.brightness), 32.0F);
    EXPECT_LE(std::abs(shift.contrast - 1.0F), 0.5F);
    EXPECT_LE(std::abs(shift.saturation - 1.0F), 0.5F);
    EXPECT_LE(std::abs(shift.hue), 18.0F);
    if (shift.hue == 0.0F) ++same;
  }
  // 250 are expected; 100 is more than thirteen deviations away.
  EXPECT_NEAR(same, 250, 150);
}

TEST(DetectionAugmentation, IsReadFromText) {
  EXPECT_EQ(parse_detection_augmentation("ssd").most_expand, 4.0);
  EXPECT_TRUE(parse_detection_augmentation("ssd").expand);
  EXPECT_EQ(parse_detection_augmentation("ssd2.5").most_expand, 2.5);
  const DetectionAugmentation near = parse_detection_augmentation("ssd1");
  EXPECT_FALSE(near.expand);
  EXPECT_TRUE(near.crop && near.flip && near.colours);
  const DetectionAugmentation flip = parse_detection_augmentation("flip");
  EXPECT_TRUE(flip.flip);
  EXPECT_FALSE(flip.crop || flip.expand || flip.colours);
  EXPECT_FALSE(parse_detection_augmentation("none").flip);
  for (const char* text : {"", "pad4", "ssd0.9", "ssd17", "ssd2x", "ssd-2", "ssdnan", "SSD"}) {
    EXPECT_THROW(parse_detection_augmentation(text), InputError) << text;
  }
}

}  // namespace
}  // namespace lastbit
