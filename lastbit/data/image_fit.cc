#include <algorithm>
#include <cmath>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/data/image.h"

namespace lastbit {
namespace {

/// What one pixel of a line is made of: `count` pixels from `first` on.
struct Mix {
  std::int64_t first = 0;
  std::int64_t count = 0;
  std::size_t weights = 0;  // where they begin in `Line::weights`
};

/// The pixels [begin, begin + count) of a line that is resized.
struct Line {
  std::vector<Mix> mixes;
  std::vector<float> weights;
};

Line make_line(std::int64_t from, std::int64_t to, std::int64_t begin, std::int64_t count) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double reach = std::max(scale, 1.0);
  Line line;
  for (std::int64_t i = begin; i < begin + count; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(0, std::llround(std::floor(centre - reach + 0.5)));
    const auto last = std::min(from, std::int64_t{std::llround(std::floor(centre + reach + 0.5))});
    const auto weight = [&](std::int64_t k) {
      return std::max(0.0, 1.0 - std::abs((static_cast<double>(k) + 0.5 - centre) / reach));
    };
    double sum = 0.0;
    for (std::int64_t k = first; k < last; ++k) sum += weight(k);
    line.mixes.push_back({first, last - first, line.weights.size()});
    for (std::int64_t k = first; k < last; ++k) {
      line.weights.push_back(static_cast<float>(weight(k) / sum));
    }
  }
  return line;
}

std::uint8_t rounded(float value) {
  return static_cast<std::uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F));
}

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
  const Line rows = make_line(height, to_height, (to_height - fit.size) / 2, fit.size);
  const Line columns = make_line(width, to_width, (to_width - fit.size) / 2, fit.size);

  // Sideways first, for the rows that are looked at alone; each row once, channels together.
  const std::int64_t top = rows.mixes.front().first;
  const std::int64_t bottom = rows.mixes.back().first + rows.mixes.back().count;
  const auto stride = static_cast<std::size_t>(3 * fit.size);
  std::vector<float> narrow(static_cast<std::size_t>(bottom - top) * stride);
  for (std::int64_t y = top; y < bottom; ++y) {
    const std::uint8_t* const row = image.pixels.data() + 3 * y * width;
    float* to = narrow.data() + static_cast<std::size_t>(y - top) * stride;
    for (const Mix& mix : columns.mixes) {
      float red = 0.0F;
      float green = 0.0F;
      float blue = 0.0F;
      for (std::int64_t k = 0; k < mix.count; ++k) {
        const float weight = columns.weights[mix.weights + static_cast<std::size_t>(k)];
        const std::uint8_t* const pixel = row + 3 * (mix.first + k);
        red += weight * static_cast<float>(pixel[0]);
        green += weight * static_cast<float>(pixel[1]);
        blue += weight * static_cast<float>(pixel[2]);
      }
      *to++ = red;
      *to++ = green;
      *to++ = blue;
    }
  }
  std::vector<float> sums(stride);
  const auto plane = static_cast<std::size_t>(fit.size * fit.size);
  for (std::size_t y = 0; y < rows.mixes.size(); ++y) {
    const Mix& mix = rows.mixes[y];
    std::fill(sums.begin(), sums.end(), 0.0F);
    for (std::int64_t k = 0; k < mix.count; ++k) {
      const float weight = rows.weights[mix.weights + static_cast<std::size_t>(k)];
      const float* const from =
          narrow.data() + static_cast<std::size_t>(mix.first + k - top) * stride;
      for (std::size_t i = 0; i < stride; ++i) sums[i] += weight * from[i];
    }
    const std::size_t line = y * static_cast<std::size_t>(fit.size);
    for (std::size_t i = 0; i < stride; ++i) out[i % 3 * plane + line + i / 3] = rounded(sums[i]);
  }
}

}  // namespace lastbit
