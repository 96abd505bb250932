#include <algorithm>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/data/image.h"
#include "lastbit/data/resample.h"

namespace lastbit {
namespace {

void to_planes(const Image& image, std::span<std::uint8_t> out) {
  const std::size_t count = image.pixels.size() / 3;
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < count; ++i) out[c * count + i] = image.pixels[3 * i + c];
  }
}

}  // namespace

void fit_image(const Image& image, const ImageFit& fit, std::span<std::uint8_t> out) {
  const bool as_it_is = fit.resize == 0;
  const std::size_t expected =
      as_it_is ? image.pixels.size() : 3 * static_cast<std::size_t>(fit.size * fit.size);
  if (out.size() != expected || (!as_it_is && (fit.size < 1 || fit.size > fit.resize))) {
    throw InputError(cat("[image] a fit to ",
                         fit.size,
                         " after ",
                         fit.resize,
                         " got ",
                         out.size(),
                         " bytes, expected ",
                         expected));
  }
  if (as_it_is) {
    to_planes(image, out);
    return;
  }
  const auto [height, width] = image.size;
  const std::int64_t shorter = std::min(height, width);
  const std::int64_t to_height = height * fit.resize / shorter;
  const std::int64_t to_width = width * fit.resize / shorter;
  const Line rows = make_line({height, 0, height}, to_height, (to_height - fit.size) / 2, fit.size);
  const Line columns = make_line({width, 0, width}, to_width, (to_width - fit.size) / 2, fit.size);
  resample(image, rows, columns, {}, false, out);
}

}  // namespace lastbit
