// Takes the place of the decoders where libjpeg or libpng is missing.
#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/data/image_formats.h"

namespace lastbit {
namespace {

[[noreturn]] void fail(const std::string& where) {
  throw InputError(
      cat("[image] ", where, " cannot be read: this LastBit was built without libjpeg and libpng"));
}

}  // namespace

ImageSize read_jpeg_size(std::span<const std::byte> /*file*/, const std::string& where) {
  fail(where);
}
Image decode_jpeg(std::span<const std::byte> /*file*/,
                  const std::string& where,
                  std::int64_t /*least*/) {
  fail(where);
}
ImageSize read_png_size(std::span<const std::byte> /*file*/, const std::string& where) {
  fail(where);
}
Image decode_png(std::span<const std::byte> /*file*/, const std::string& where) { fail(where); }
std::string encode_png(const Image& /*image*/) {
  throw InputError("[image] no PNG can be written: this LastBit was built without libpng");
}

}  // namespace lastbit
