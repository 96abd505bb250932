#include "lastbit/data/image.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/data/image_formats.h"

namespace lastbit {
namespace {

constexpr std::array<std::byte, 3> kJpeg = {std::byte{0xff}, std::byte{0xd8}, std::byte{0xff}};
constexpr std::array<std::byte, 4> kPng = {
    std::byte{0x89}, std::byte{'P'}, std::byte{'N'}, std::byte{'G'}};

bool begins_with(std::span<const std::byte> file, std::span<const std::byte> magic) {
  return file.size() >= magic.size() && std::ranges::equal(file.first(magic.size()), magic);
}

[[noreturn]] void fail_format(std::span<const std::byte> file, const std::string& where) {
  if (file.empty()) throw FormatError(cat("[image] ", where, " is empty"));
  throw FormatError(cat("[image] ", where, " is neither JPEG nor PNG"));
}

}  // namespace

bool has_image_name(std::string_view file_name) {
  std::string lower(file_name);
  std::ranges::transform(lower, lower.begin(), [](unsigned char letter) {
    return static_cast<char>(std::tolower(letter));
  });
  return std::ranges::any_of(std::array{".jpg", ".jpeg", ".png"},
                             [&](const char* ending) { return lower.ends_with(ending); });
}

ImageSize read_image_size(std::span<const std::byte> file, const std::string& where) {
  if (begins_with(file, kJpeg)) return read_jpeg_size(file, where);
  if (begins_with(file, kPng)) return read_png_size(file, where);
  fail_format(file, where);
}

Image decode_image(std::span<const std::byte> file, const std::string& where, std::int64_t least) {
  if (begins_with(file, kJpeg)) return decode_jpeg(file, where, least);
  if (begins_with(file, kPng)) return decode_png(file, where);
  fail_format(file, where);
}

void check_image_size(const ImageSize& size, const std::string& where) {
  if (size.height > 0 && size.width > 0 && size.width <= kMaxImagePixels / size.height) return;
  throw FormatError(cat("[image] ",
                        where,
                        " is ",
                        size.width,
                        " x ",
                        size.height,
                        ", expected 1, ..., ",
                        kMaxImagePixels,
                        " pixels"));
}

}  // namespace lastbit
