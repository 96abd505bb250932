#include <png.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/data/image_formats.h"

namespace lastbit {
namespace {

/// libpng's simple interface, which reports errors as text.
class Decoder {
 public:
  Decoder(std::span<const std::byte> file, const std::string& where) : where_(where) {
    image_.version = PNG_IMAGE_VERSION;
    if (::png_image_begin_read_from_memory(&image_, file.data(), file.size()) == 0) fail();
  }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { ::png_image_free(&image_); }

  ImageSize size() const { return {image_.height, image_.width}; }

  /// @param pixels  (size(), 3)
  void read(std::uint8_t* pixels) {
    const png_color white = {255, 255, 255};
    image_.format = PNG_FORMAT_RGB;
    if (::png_image_finish_read(&image_, &white, pixels, 0, nullptr) == 0) fail();
  }

 private:
  [[noreturn]] void fail() const {
    throw FormatError(cat("[image] ", where_, " is a damaged PNG: ", image_.message));
  }

  png_image image_{};
  const std::string& where_;
};

}  // namespace

ImageSize read_png_size(std::span<const std::byte> file, const std::string& where) {
  const ImageSize size = Decoder(file, where).size();
  check_image_size(size, where);
  return size;
}

Image decode_png(std::span<const std::byte> file, const std::string& where) {
  Decoder decoder(file, where);
  check_image_size(decoder.size(), where);
  Image image{.size = decoder.size(), .pixels = {}};
  image.pixels.resize(static_cast<std::size_t>(image.size.height * image.size.width) * 3);
  decoder.read(image.pixels.data());
  return image;
}

std::string encode_png(const Image& image) {
  check_image_size(image.size, "to be written");
  png_image info{};
  info.version = PNG_IMAGE_VERSION;
  info.width = static_cast<png_uint_32>(image.size.width);
  info.height = static_cast<png_uint_32>(image.size.height);
  info.format = PNG_FORMAT_RGB;
  // Libpng's own bound, so that compressing is done once.
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(info);
  std::string file(size, '\0');
  if (::png_image_write_to_memory(&info, file.data(), &size, 0, image.pixels.data(), 0, nullptr) ==
      0) {
    throw InputError(cat("[image] an image cannot be written as PNG: ", info.message));
  }
  file.resize(size);
  return file;
}

}  // namespace lastbit
