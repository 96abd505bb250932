#pragma once

#include <cstdio>
#include <cstdlib>
#include <jpeglib.h>
#include <png.h>
#include <string>
#include <vector>

#include "lastbit/data/image.h"

namespace lastbit {

/// (height, width, channels) bytes as a JPEG of quality 100 without subsampling.
inline std::string jpeg(const ImageSize& size,
                        int channels,
                        const std::vector<std::uint8_t>& pixels,
                        bool progressive = false) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = ::jpeg_std_error(&errors);
  ::jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long count = 0;
  ::jpeg_mem_dest(&info, &bytes, &count);
  info.image_height = static_cast<JDIMENSION>(size.height);
  info.image_width = static_cast<JDIMENSION>(size.width);
  info.input_components = channels;
  info.in_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
  ::jpeg_set_defaults(&info);
  ::jpeg_set_quality(&info, 100, TRUE);
  for (int c = 0; c < info.num_components; ++c) {
    info.comp_info[c].h_samp_factor = info.comp_info[c].v_samp_factor = 1;
  }
  if (progressive) ::jpeg_simple_progression(&info);
  ::jpeg_start_compress(&info, TRUE);
  for (std::int64_t y = 0; y < size.height; ++y) {
    auto* row = const_cast<JSAMPROW>(pixels.data() + y * size.width * channels);
    ::jpeg_write_scanlines(&info, &row, 1);
  }
  ::jpeg_finish_compress(&info);
  ::jpeg_destroy_compress(&info);
  std::string out(reinterpret_cast<const char*>(bytes), count);
  std::free(bytes);
  return out;
}

/// @param format  of libpng's simple interface, as PNG_FORMAT_RGB.
inline std::string png(const ImageSize& size,
                       png_uint_32 format,
                       const std::vector<std::uint8_t>& pixels) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(size.width);
  image.height = static_cast<png_uint_32>(size.height);
  image.format = format;
  png_alloc_size_t count = 0;
  if (::png_image_write_to_memory(&image, nullptr, &count, 0, pixels.data(), 0, nullptr) == 0) {
    std::abort();
  }
  std::string out(count, '\0');
  ::png_image_write_to_memory(&image, out.data(), &count, 0, pixels.data(), 0, nullptr);
  out.resize(count);
  return out;
}

/// Three channels, each a ramp of its own with a little texture: what JPEG keeps well.
inline std::vector<std::uint8_t> ramps(const ImageSize& size) {
  std::vector<std::uint8_t> pixels;
  for (std::int64_t y = 0; y < size.height; ++y) {
    for (std::int64_t x = 0; x < size.width; ++x) {
      pixels.push_back(static_cast<std::uint8_t>(255 * y / size.height));
      pixels.push_back(static_cast<std::uint8_t>(255 * x / size.width));
      pixels.push_back(static_cast<std::uint8_t>(255 * (x + y) / (size.height + size.width)));
    }
  }
  return pixels;
}

}  // namespace lastbit
