#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lastbit {

/// More would not fit beside a few others: 192 MiB of bytes. ImageNet's largest has 61 million.
inline constexpr std::int64_t kMaxImagePixels = std::int64_t{1} << 26U;

struct ImageSize {
  std::int64_t height = 0;
  std::int64_t width = 0;
  friend bool operator==(const ImageSize&, const ImageSize&) = default;
};

/// An image in memory: (height, width, 3) bytes, red, green, blue.
struct Image {
  ImageSize size;
  std::vector<std::uint8_t> pixels;
};

/// True for names that end as JPEG and PNG files do, in small or capital letters.
bool has_image_name(std::string_view file_name);

/// Reads the header of a JPEG or PNG file, told apart by their first bytes.
/// @param where  begins every error message: the file.
/// @throws FormatError for another format, a damaged header or more than `kMaxImagePixels`;
///     InputError where LastBit was built without these formats.
ImageSize read_image_size(std::span<const std::byte> file, const std::string& where);

/// Decodes a JPEG or PNG file to red, green and blue.
///
/// Grey is repeated; CMYK and YCCK become RGB without a colour profile; a transparent PNG is laid
/// on white; samples of 16 bits become 8. Profiles and orientation tags are not looked at.
/// @param least  positive: a JPEG may be decoded at a half, a quarter or an eighth as long as both
///     sides stay at least twice this. 0: always in full.
/// @throws as `read_image_size`, also for pixels that are damaged or cut off.
Image decode_image(std::span<const std::byte> file, const std::string& where, std::int64_t least);

/// The image as a PNG file.
/// @throws InputError for an image without pixels, and where LastBit was built without PNG.
std::string encode_png(const Image& image);

/// How an image of any size becomes one of a size: the shorter side is resized to `resize`, then
/// the middle `size` x `size` is cut out. A `resize` of 0 leaves the image as it is.
struct ImageFit {
  std::int64_t resize = 0;
  std::int64_t size = 0;  ///< 1, ..., resize
};

/// Resizes by a triangle as wide as a pixel of the coarser of both grids (bilinear; averaging where
/// it shrinks), and cuts. Sums are float in a fixed order: every machine computes the same bytes.
/// @param out  (3, size, size), or (3, height, width) where `fit.resize` is 0.
void fit_image(const Image& image, const ImageFit& fit, std::span<std::uint8_t> out);

}  // namespace lastbit
