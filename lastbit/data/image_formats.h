#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "lastbit/data/image.h"

namespace lastbit {

// One pair of functions for each format; what they take and throw is said in image.h.

ImageSize read_jpeg_size(std::span<const std::byte> file, const std::string& where);
Image decode_jpeg(std::span<const std::byte> file, const std::string& where, std::int64_t least);

ImageSize read_png_size(std::span<const std::byte> file, const std::string& where);
Image decode_png(std::span<const std::byte> file, const std::string& where);

/// @throws FormatError for an image that is empty or too large.
void check_image_size(const ImageSize& size, const std::string& where);

}  // namespace lastbit
