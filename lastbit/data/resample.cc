#include "lastbit/data/resample.h"

#include <algorithm>
#include <cmath>

namespace lastbit {
namespace {

std::uint8_t rounded(float value) {
  return static_cast<std::uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F));
}

/// The rows [top, bottom) of an image with their columns resized, channels together.
struct NarrowImage {
  std::int64_t top = 0;
  std::vector<float> values;  // (bottom - top, columns, 3)
};

NarrowImage narrow(const Image& image,
                   const Line& rows,
                   const Line& columns,
                   const std::array<std::uint8_t, 3>& around) {
  std::int64_t top = image.size.height;
  std::int64_t bottom = 0;
  for (const Mix& mix : rows.mixes) {
    if (mix.count == 0) continue;
    top = std::min(top, mix.first);
    bottom = std::max(bottom, mix.first + mix.count);
  }
  NarrowImage result{.top = top, .values = {}};
  if (bottom <= top) return result;
  const std::size_t stride = 3 * columns.mixes.size();
  result.values.resize(static_cast<std::size_t>(bottom - top) * stride);
  float* to = result.values.data();
  for (std::int64_t y = top; y < bottom; ++y) {
    const std::uint8_t* const row = image.pixels.data() + 3 * y * image.size.width;
    for (const Mix& mix : columns.mixes) {
      float red = mix.around * static_cast<float>(around[0]);
      float green = mix.around * static_cast<float>(around[1]);
      float blue = mix.around * static_cast<float>(around[2]);
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
  return result;
}

}  // namespace

Line make_line(const Stretch& from, std::int64_t to, std::int64_t begin, std::int64_t count) {
  const double scale = static_cast<double>(from.length) / static_cast<double>(to);
  const double reach = std::max(scale, 1.0);
  Line line;
  for (std::int64_t i = begin; i < begin + count; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(0, std::llround(std::floor(centre - reach + 0.5)));
    const auto last =
        std::min(from.length, std::int64_t{std::llround(std::floor(centre + reach + 0.5))});
    const auto weight = [&](std::int64_t k) {
      return std::max(0.0, 1.0 - std::abs((static_cast<double>(k) + 0.5 - centre) / reach));
    };
    double sum = 0.0;
    double around = 0.0;
    Mix mix{.first = std::clamp<std::int64_t>(from.start + first, 0, from.extent),
            .count = 0,
            .weights = line.weights.size()};
    for (std::int64_t k = first; k < last; ++k) {
      sum += weight(k);
      const std::int64_t at = from.start + k;
      if (at < 0 || at >= from.extent) around += weight(k);
    }
    for (std::int64_t k = first; k < last; ++k) {
      const std::int64_t at = from.start + k;
      if (at < 0 || at >= from.extent) continue;
      line.weights.push_back(static_cast<float>(weight(k) / sum));
      ++mix.count;
    }
    mix.around = static_cast<float>(around / sum);
    line.mixes.push_back(mix);
  }
  return line;
}

void resample(const Image& image,
              const Line& rows,
              const Line& columns,
              const std::array<std::uint8_t, 3>& around,
              bool flipped,
              std::span<std::uint8_t> out) {
  // Sideways first, for the rows that are looked at alone; each row once, channels together.
  const NarrowImage narrowed = narrow(image, rows, columns, around);
  const std::size_t width = columns.mixes.size();
  const std::size_t stride = 3 * width;
  const std::size_t plane = rows.mixes.size() * width;
  std::vector<float> sums(stride);
  for (std::size_t y = 0; y < rows.mixes.size(); ++y) {
    const Mix& mix = rows.mixes[y];
    for (std::size_t i = 0; i < stride; ++i) {
      sums[i] = mix.around * static_cast<float>(around[i % 3]);
    }
    for (std::int64_t k = 0; k < mix.count; ++k) {
      const float weight = rows.weights[mix.weights + static_cast<std::size_t>(k)];
      const float* const from =
          narrowed.values.data() + static_cast<std::size_t>(mix.first + k - narrowed.top) * stride;
      for (std::size_t i = 0; i < stride; ++i) sums[i] += weight * from[i];
    }
    for (std::size_t i = 0; i < stride; ++i) {
      const std::size_t x = flipped ? width - 1 - i / 3 : i / 3;
      out[i % 3 * plane + y * width + x] = rounded(sums[i]);
    }
  }
}

}  // namespace lastbit
