#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lastbit/data/image.h"

namespace lastbit {

/// A stretch of an image's rows or columns that is resized: `length` of them from `start` on, which
/// may lie beyond the image's `extent` on either side.
struct Stretch {
  std::int64_t extent = 0;
  std::int64_t start = 0;
  std::int64_t length = 0;
};

/// What one pixel of a line is made of: `count` pixels of the image from `first` on, and of what
/// lies around the image.
struct Mix {
  std::int64_t first = 0;
  std::int64_t count = 0;
  std::size_t weights = 0;  // where they begin in `Line::weights`
  float around = 0.0F;      // weight of what lies around
};

/// Some pixels of a line that is resized.
struct Line {
  std::vector<Mix> mixes;
  std::vector<float> weights;
};

/// The pixels [begin, begin + count) of a stretch that is resized to `to` pixels, by a triangle as
/// wide as a pixel of the coarser of both grids. Nothing beyond the stretch mixes in.
Line make_line(const Stretch& from, std::int64_t to, std::int64_t begin, std::int64_t count);

/// An image of these rows and columns. Sums are float in a fixed order.
/// @param around  the colour around the image.
/// @param flipped  left and right are exchanged in the result.
/// @param out  (3, rows, columns)
void resample(const Image& image,
              const Line& rows,
              const Line& columns,
              const std::array<std::uint8_t, 3>& around,
              bool flipped,
              std::span<std::uint8_t> out);

}  // namespace lastbit
