#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "lastbit/base/random.h"
#include "lastbit/data/colour.h"
#include "lastbit/data/detection.h"
#include "lastbit/data/image_window.h"

namespace lastbit {

/// How images with boxes are changed at random: the augmentation of SSD (Liu et al. 2016, section
/// 2.2, "zoom out" of section 3.6).
struct DetectionAugmentation {
  /// `draw_colour_shift`.
  bool colours = true;
  /// With probability 1/2 the image is laid on a ground of up to `most_expand` times its sides.
  bool expand = true;
  /// A part that overlaps an object by a drawn measure: see `draw_crop`.
  bool crop = true;
  /// Left and right are exchanged with probability 1/2.
  bool flip = true;
  double most_expand = 4.0;
  /// Colour of the ground; ImageNet's mean.
  std::array<std::uint8_t, 3> ground = {123, 117, 104};

  static DetectionAugmentation none() noexcept {
    return {.colours = false, .expand = false, .crop = false, .flip = false};
  }
};

/// Reads "none", "flip" alone, or "ssd", which is all of it, also with another `most_expand`, as
/// "ssd2"; "ssd1" never expands.
/// @throws InputError for anything else.
DetectionAugmentation parse_detection_augmentation(std::string_view text);

/// A sample as a network takes it.
struct BoxedSample {
  std::vector<std::uint8_t> pixels;  // (3, size)
  std::vector<LabelledBox> objects;  // edges as parts of width and height
};

/// A window of the image's proportions, 1 to `most` times as wide and high, in which the image lies
/// anywhere.
ImageWindow draw_expansion(const ImageSize& image, double most, Random& random) noexcept;

/// A part of `window`, with equal chance: all of it; one that overlaps (IoU) an object by at least
/// 0.1, 0.3, 0.5, 0.7 or 0.9; any. Parts have 0.3 to 1 times the width and height, a width of 1/2
/// to 2 times the height, and the middle of an object. What 50 trials do not find is drawn anew.
/// Without objects it is all of the window.
ImageWindow draw_crop(const ImageWindow& window,
                      std::span<const LabelledBox> objects,
                      Random& random);

/// Changes a sample at random, which is a pure function of the arguments, and stretches it to
/// `size`. It keeps an object at least if it has one, unless boxes are smaller than floats resolve.
BoxedSample augment(DetectionSample sample,
                    const DetectionAugmentation& augmentation,
                    const ImageSize& size,
                    Random& random);

}  // namespace lastbit
