#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "lastbit/data/detection.h"
#include "lastbit/data/image.h"

namespace lastbit {

/// The part of an image that becomes a sample. It may reach beyond the image, and then shows one
/// colour around it.
struct ImageWindow {
  std::int64_t left = 0;
  std::int64_t top = 0;
  ImageSize size;
  bool flipped = false;  ///< Left and right are exchanged.

  friend bool operator==(const ImageWindow&, const ImageWindow&) = default;
};

/// All of an image.
ImageWindow whole(const ImageSize& size) noexcept;

/// What a window shows, stretched to `size` whatever its own proportions; resized as `fit_image`
/// does.
/// @param around  red, green and blue of what lies beyond the image.
/// @param out  (3, size)
/// @throws InputError for a size or a window without pixels, and an `out` of another size.
void cut_window(const Image& image,
                const ImageWindow& window,
                const ImageSize& size,
                const std::array<std::uint8_t, 3>& around,
                std::span<std::uint8_t> out);

/// The objects whose middle lies in a window, clipped to it, with edges as parts of its width and
/// height.
std::vector<LabelledBox> objects_in(const ImageWindow& window,
                                    std::span<const LabelledBox> objects);

}  // namespace lastbit
