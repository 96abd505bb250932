#pragma once

#include "lastbit/base/random.h"
#include "lastbit/data/image.h"

namespace lastbit {

/// How an image's colours are changed.
struct ColourShift {
  float brightness = 0.0F;     ///< Added, of 255.
  float contrast = 1.0F;       ///< Factor of all values.
  float saturation = 1.0F;     ///< Factor of the saturation.
  float hue = 0.0F;            ///< Degrees by which the hue turns.
  bool contrast_last = false;  ///< Contrast comes behind saturation and hue, not before.

  friend bool operator==(const ColourShift&, const ColourShift&) = default;
};

/// SSD's photometric distortion (Liu et al. 2016, after Howard 2013), with the ranges of the
/// authors' program: each change with probability 1/2; brightness by up to 32, contrast and
/// saturation by 0.5 to 1.5, hue by up to 18 degrees.
ColourShift draw_colour_shift(Random& random) noexcept;

/// Changes colours in place: brightness, contrast, then saturation and hue of the values cut to
/// [0, 255] (or contrast at last), and rounds once. Every machine computes the same bytes. A shift
/// of all defaults changes nothing.
void shift_colours(const ColourShift& shift, Image& image) noexcept;

}  // namespace lastbit
