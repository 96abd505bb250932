#include "lastbit/data/draw.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/data/font.h"
#include "tests/data/files.h"
#include "tests/data/image_files.h"

namespace lastbit {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Rgb kInk = {9, 8, 7};

Image black(std::int64_t height, std::int64_t width) {
  return {.size = {height, width},
          .pixels = std::vector<std::uint8_t>(static_cast<std::size_t>(3 * height * width))};
}

// A line of '#' and '.' for each row.
std::vector<std::string> shown(const Image& image) {
  std::vector<std::string> rows;
  for (std::int64_t y = 0; y < image.size.height; ++y) {
    rows.emplace_back();
    for (std::int64_t x = 0; x < image.size.width; ++x) {
      rows.back() +=
          image.pixels[static_cast<std::size_t>(3 * (y * image.size.width + x))] == 0 ? '.' : '#';
    }
  }
  return rows;
}

TEST(EncodePng, IsReadBackToTheByte) {
  Random random(1);
  for (const ImageSize& size : {ImageSize{1, 1}, ImageSize{7, 13}, ImageSize{200, 3}}) {
    Image image = black(size.height, size.width);
    for (std::uint8_t& value : image.pixels) value = static_cast<std::uint8_t>(random.below(256));
    const std::string file = encode_png(image);
    const Image back = decode_image(std::as_bytes(std::span(file)), "x", 0);
    EXPECT_EQ(back.size, size);
    EXPECT_EQ(back.pixels, image.pixels);
  }
}

TEST(EncodePng, RefusesAnImageWithoutPixels) {
  EXPECT_THAT(error_of<InputError>([] { encode_png({}); }), HasSubstr("is 0 x 0"));
}

TEST(FillBox, FillsPixelsWhoseMiddleIsInside) {
  Image image = black(3, 5);
  fill_box({1.4F, 0.5F, 3.6F, 1.6F}, kInk, image);
  EXPECT_THAT(shown(image), ElementsAre(".###.", ".###.", "....."));
  EXPECT_EQ(image.pixels[3], 9);
  EXPECT_EQ(image.pixels[4], 8);
  EXPECT_EQ(image.pixels[5], 7);
}

TEST(FillBox, LeavesOutWhatIsBeyondTheImage) {
  Image image = black(2, 3);
  for (const Box& beyond : {Box{-9, -9, -1, -1},
                            Box{7, 0, 9, 2},
                            Box{2, 1, 0, 0},
                            Box{NAN, 0, NAN, 2},
                            Box{0, 0, 0, 2}}) {
    fill_box(beyond, kInk, image);
    EXPECT_THAT(image.pixels, Each(0));
  }
  fill_box({-1e30F, -INFINITY, 1e30F, INFINITY}, kInk, image);
  EXPECT_THAT(shown(image), ElementsAre("###", "###"));
}

TEST(DrawFrame, StaysInsideTheBox) {
  Image image = black(7, 8);
  draw_frame({1, 1, 7, 6}, 1, kInk, image);
  EXPECT_THAT(
      shown(image),
      ElementsAre(
          "........", ".######.", ".#....#.", ".#....#.", ".#....#.", ".######.", "........"));
  Image thick = black(4, 4);
  draw_frame({1, 1, 3, 3}, 5, kInk, thick);
  EXPECT_THAT(shown(thick), ElementsAre("....", ".##.", ".##.", "...."));
}

TEST(DrawText, WritesLetters) {
  Image image = black(9, 14);
  draw_text("L1", 1, 1, 1, kInk, image);
  EXPECT_THAT(shown(image),
              ElementsAre("..............",
                          ".#.......#....",
                          ".#......##....",
                          ".#.....#.#....",
                          ".#.......#....",
                          ".#.......#....",
                          ".#.......#....",
                          ".#####.#####..",
                          ".............."));
  Image large = black(4, 4);
  draw_text("L", -8, -10, 2, kInk, large);
  EXPECT_THAT(shown(large), ElementsAre("....", "....", "##..", "##.."));
}

TEST(DrawText, ShowsOtherCharactersAsOne) {
  Image one = black(9, 20);
  Image other = one;
  draw_text("a?b", 0, 0, 1, kInk, one);
  draw_text(
      "a\xe2\x82\xac"
      "b",
      0,
      0,
      1,
      kInk,
      other);
  EXPECT_EQ(shown(one), shown(other));
}

TEST(Font, HasALetterForEveryPrintableByte) {
  std::set<std::string> shapes;
  for (char letter = ' '; letter <= '~'; ++letter) {
    std::string shape;
    for (std::size_t row = 0; row < kLetterHeight; ++row) {
      for (std::size_t column = 0; column < kLetterWidth; ++column) {
        shape += letter_pixel(letter, row, column) ? '#' : '.';
      }
    }
    EXPECT_EQ(letter == ' ', shape.find('#') == std::string::npos) << letter;
    EXPECT_TRUE(shapes.insert(shape).second) << letter << " looks like another letter";
  }
}

TEST(DrawDetections, FramesAndNamesBoxes) {
  const std::vector<Detection> found = {{{10, 30, 60, 80}, 1, 0.5F}, {{20, 40, 90, 95}, 0, 0.9F}};
  const std::vector<std::string> names = {"cat", "dog"};
  Image image = black(100, 100);
  draw_detections(found, names, image);
  const auto at = [&](std::int64_t y, std::int64_t x) {
    const auto* const pixel = image.pixels.data() + 3 * (100 * y + x);
    return Rgb{pixel[0], pixel[1], pixel[2]};
  };
  EXPECT_EQ(at(50, 10), colour_of(1));
  EXPECT_EQ(at(50, 21), colour_of(0));
  EXPECT_EQ(at(94, 50), colour_of(0));
  EXPECT_EQ(at(79, 40), colour_of(1));  // inside the better one's frame
  EXPECT_EQ(at(40, 59), colour_of(0));  // its top edge lies over the other's right one
  EXPECT_EQ(at(21, 10), colour_of(1));  // the ground of "dog 50%"
  EXPECT_EQ(at(60, 95), (Rgb{0, 0, 0}));

  Image by_order = black(100, 100);
  const std::vector<Detection> turned = {found[1], found[0]};
  draw_detections(turned, names, by_order);
  EXPECT_EQ(by_order.pixels, image.pixels);
}

TEST(DrawDetections, HoldsOutAnyBoxAndLabel) {
  Random random(2);
  for (int i = 0; i < 300; ++i) {
    Image image = black(1 + static_cast<std::int64_t>(random.below(40)),
                        1 + static_cast<std::int64_t>(random.below(40)));
    const auto edge = [&] { return static_cast<float>(random.uniform(-60, 60)); };
    const std::vector<Detection> found = {
        {{edge(), edge(), edge(), edge()}, static_cast<std::int32_t>(random.below(9)) - 4, 2.0F},
        {{NAN, edge(), INFINITY, edge()}, 1, 0.5F}};
    const std::size_t size = image.pixels.size();
    draw_detections(found, std::vector<std::string>{"a long name of a class"}, image);
    EXPECT_EQ(image.pixels.size(), size);
  }
}

}  // namespace
}  // namespace lastbit
