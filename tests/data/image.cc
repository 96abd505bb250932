#include "lastbit/data/image.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "tests/data/files.h"
#include "tests/data/image_files.h"

namespace lastbit {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

Image decode(const std::string& file, std::int64_t least = 0) {
  return decode_image(bytes_of(file), "x.img", least);
}

int largest_difference(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b) {
  int most = a.size() == b.size() ? 0 : 1000;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    most = std::max(most, std::abs(int{a[i]} - int{b[i]}));
  }
  return most;
}

constexpr ImageSize kSize = {20, 30};

TEST(Image, PngIsReadToTheByte) {
  const auto pixels = ramps(kSize);
  const std::string file = png(kSize, PNG_FORMAT_RGB, pixels);
  EXPECT_EQ(read_image_size(bytes_of(file), "x"), kSize);
  EXPECT_EQ(decode(file).pixels, pixels);
}

// At quality 100 a step of quantization is 1: the transform and the colours round by a few more.
TEST(Image, JpegIsReadUpToItsRounding) {
  const auto pixels = ramps(kSize);
  for (const bool progressive : {false, true}) {
    const std::string file = jpeg(kSize, 3, pixels, progressive);
    EXPECT_EQ(read_image_size(bytes_of(file), "x"), kSize);
    const Image image = decode(file);
    EXPECT_EQ(image.size, kSize);
    EXPECT_LE(largest_difference(image.pixels, pixels), 4);
  }
}

TEST(Image, GreyIsRepeatedForEveryColour) {
  const std::vector<std::uint8_t> grey = {0, 100, 200, 255};
  const std::vector<std::uint8_t> rgb = {0, 0, 0, 100, 100, 100, 200, 200, 200, 255, 255, 255};
  EXPECT_EQ(decode(png({2, 2}, PNG_FORMAT_GRAY, grey)).pixels, rgb);
  EXPECT_LE(largest_difference(decode(jpeg({2, 2}, 1, grey)).pixels, rgb), 2);
}

TEST(Image, TransparentPixelsShowWhite) {
  const std::vector<std::uint8_t> rgba = {10, 20, 30, 255, 10, 20, 30, 0};
  EXPECT_THAT(decode(png({1, 2}, PNG_FORMAT_RGBA, rgba)).pixels,
              ElementsAre(10, 20, 30, 255, 255, 255));
}

// libjpeg writes the Adobe marker, so 255 stands for no ink.
TEST(Image, CmykBecomesLight) {
  std::vector<std::uint8_t> ink;
  for (int i = 0; i < 64; ++i) ink.insert(ink.end(), {255, 128, 0, 128});
  const Image image = decode(jpeg({8, 8}, 4, ink));
  ASSERT_EQ(image.pixels.size(), 192U);
  EXPECT_NEAR(image.pixels[0], 128, 2);
  EXPECT_NEAR(image.pixels[1], 64, 2);
  EXPECT_NEAR(image.pixels[2], 0, 2);
}

TEST(Image, LargeJpegsMayBeDecodedSmaller) {
  const std::string file = jpeg({128, 256}, 3, ramps({128, 256}));
  EXPECT_EQ(decode(file, 0).size, (ImageSize{128, 256}));
  EXPECT_EQ(decode(file, 33).size, (ImageSize{128, 256}));
  EXPECT_EQ(decode(file, 32).size, (ImageSize{64, 128}));
  EXPECT_EQ(decode(file, 1).size, (ImageSize{16, 32}));
}

TEST(Image, EveryCutIsRefusedWithTheName) {
  for (const std::string& file :
       {jpeg(kSize, 3, ramps(kSize)), png(kSize, PNG_FORMAT_RGB, ramps(kSize))}) {
    // The last bytes are the end marker, which a decoder need not see.
    for (std::size_t size = 0; size + 16 < file.size(); ++size) {
      EXPECT_THAT(error_of([&] { decode(file.substr(0, size)); }),
                  AllOf(HasSubstr("[image] x.img"), ::testing::Not(HasSubstr("another"))));
    }
  }
}

TEST(Image, DamageEndsInAnImageOrASentence) {
  Random random(5);
  for (const std::string& file : {jpeg(kSize, 3, ramps(kSize)),
                                  jpeg(kSize, 3, ramps(kSize), true),
                                  png(kSize, PNG_FORMAT_RGB, ramps(kSize))}) {
    for (int i = 0; i < 2000; ++i) {
      std::string bad = file;
      for (std::uint64_t k = 1 + random.below(4); k > 0; --k) {
        bad[random.below(bad.size())] = static_cast<char>(random.next());
      }
      try {
        const Image image = decode(bad);
        EXPECT_EQ(image.pixels.size(),
                  static_cast<std::size_t>(3 * image.size.height * image.size.width));
      } catch (const FormatError& error) {
        EXPECT_THAT(error.what(), HasSubstr("x.img"));
      }
    }
  }
}

TEST(Image, RefusesOtherFormatsAndSizesThatNoImageHas) {
  EXPECT_THAT(error_of([] { decode(""); }), HasSubstr("is empty"));
  EXPECT_THAT(error_of([] { decode("GIF89a"); }), HasSubstr("neither JPEG nor PNG"));
  // The frame header of the JPEG promises 65500 x 65500.
  std::string bomb = jpeg(kSize, 3, ramps(kSize));
  const std::size_t frame = bomb.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  bomb.replace(frame + 5, 4, "\xff\xdc\xff\xdc");
  EXPECT_THAT(error_of([&] { decode(bomb); }), HasSubstr("65500 x 65500"));
  EXPECT_THAT(error_of([&] { read_image_size(bytes_of(bomb), "x"); }), HasSubstr("pixels"));
}

TEST(ImageName, EndsAsJpegAndPngDo) {
  for (const char* name : {"a.jpg", "a.JPEG", "b.Png"}) EXPECT_TRUE(has_image_name(name)) << name;
  for (const char* name : {"a.gif", "jpg", "a.jpg.txt"}) EXPECT_FALSE(has_image_name(name)) << name;
}

// Brute force in double: every output pixel is a weighted mean over all input pixels.
std::vector<double> fit_slowly(const Image& image, const ImageFit& fit) {
  const auto [height, width] = image.size;
  const std::int64_t shorter = std::min(height, width);
  const auto weights = [&](std::int64_t from, std::int64_t i) {
    const std::int64_t to = from * fit.resize / shorter;
    const double scale = double(from) / double(to);
    const std::int64_t margin = (to - fit.size) / 2;
    const double centre = (double(i + margin) + 0.5) * scale;
    std::vector<double> all;
    double sum = 0.0;
    for (std::int64_t k = 0; k < from; ++k) {
      all.push_back(std::max(0.0, 1.0 - std::abs(double(k) + 0.5 - centre) / std::max(scale, 1.0)));
      sum += all.back();
    }
    for (double& weight : all) weight /= sum;
    return all;
  };
  std::vector<double> out;
  for (std::int64_t c = 0; c < 3; ++c) {
    for (std::int64_t y = 0; y < fit.size; ++y) {
      const auto down = weights(height, y);
      for (std::int64_t x = 0; x < fit.size; ++x) {
        const auto across = weights(width, x);
        double sum = 0.0;
        for (std::int64_t i = 0; i < height; ++i) {
          for (std::int64_t j = 0; j < width; ++j) {
            sum += down[i] * across[j] * image.pixels[3 * (i * width + j) + c];
          }
        }
        out.push_back(sum);
      }
    }
  }
  return out;
}

TEST(FitImage, IsTheWeightedMeanOfATriangle) {
  Random random(3);
  for (const ImageSize& size : {ImageSize{7, 12}, {12, 7}, {9, 9}, {40, 31}, {1, 5}}) {
    Image image{.size = size, .pixels = {}};
    for (std::int64_t i = 0; i < 3 * size.height * size.width; ++i) {
      image.pixels.push_back(static_cast<std::uint8_t>(random.next()));
    }
    for (const ImageFit& fit : {ImageFit{8, 8}, {11, 6}, {5, 5}, {9, 9}, {3, 1}}) {
      std::vector<std::uint8_t> out(3 * fit.size * fit.size);
      fit_image(image, fit, out);
      const auto expected = fit_slowly(image, fit);
      // Rounding to a byte, and some tens of float additions of values up to 255.
      for (std::size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[i], 0.5 + 1e-3);
    }
  }
}

TEST(FitImage, KeepsAnImageThatHasTheSize) {
  const Image image{.size = {6, 6}, .pixels = ramps({6, 6})};
  std::vector<std::uint8_t> fitted(108);
  std::vector<std::uint8_t> plain(108);
  fit_image(image, {6, 6}, fitted);
  fit_image(image, {}, plain);
  EXPECT_EQ(fitted, plain);
  for (std::size_t i = 0; i < 36; ++i) {
    for (std::size_t c = 0; c < 3; ++c) EXPECT_EQ(plain[36 * c + i], image.pixels[3 * i + c]);
  }
}

TEST(FitImage, RefusesAnotherRoomThanItFills) {
  const Image image{.size = {6, 6}, .pixels = ramps({6, 6})};
  std::vector<std::uint8_t> out(10);
  EXPECT_THAT(error_of<InputError>([&] { fit_image(image, {6, 6}, out); }), HasSubstr("10 bytes"));
}

}  // namespace
}  // namespace lastbit
