#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "lastbit/data/image.h"
#include "lastbit/detect/suppress.h"

namespace lastbit {

/// Red, green and blue.
using Rgb = std::array<std::uint8_t, 3>;

/// A colour for each class; the first twenty are well apart.
Rgb colour_of(std::int32_t label) noexcept;

/// Fills the pixels whose middles lie in a box. What lies beyond the image is left out, here and
/// below.
void fill_box(const Box& box, const Rgb& colour, Image& image) noexcept;

/// Draws a frame `width` pixels wide, all of it inside the box.
void draw_frame(const Box& box, std::int64_t width, const Rgb& colour, Image& image) noexcept;

/// Writes one line of text with its upper left corner at (x, y). A letter is 5 x 7 pixels of
/// `scale` x `scale` each, and one further pixel apart. A character beyond ASCII shows as one '?'.
void draw_text(std::string_view text,
               std::int64_t x,
               std::int64_t y,
               std::int64_t scale,
               const Rgb& colour,
               Image& image) noexcept;

/// Draws boxes with the names of their classes and scores in percent, as "dog 87%", those with the
/// highest scores last and so on top. Sizes follow the image's.
/// @param detections  edges in pixels.
/// @param class_names  by label; a class without a name shows as its number.
void draw_detections(std::span<const Detection> detections,
                     std::span<const std::string> class_names,
                     Image& image);

}  // namespace lastbit
