#include "lastbit/data/image_window.h"

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/data/resample.h"

namespace lastbit {

ImageWindow whole(const ImageSize& size) noexcept { return {.left = 0, .top = 0, .size = size}; }

void cut_window(const Image& image,
                const ImageWindow& window,
                const ImageSize& size,
                const std::array<std::uint8_t, 3>& around,
                std::span<std::uint8_t> out) {
  const bool empty =
      size.height < 1 || size.width < 1 || window.size.height < 1 || window.size.width < 1;
  if (empty || out.size() != static_cast<std::size_t>(3 * size.height * size.width)) {
    throw InputError(cat("[image] a window of ",
                         window.size.width,
                         " x ",
                         window.size.height,
                         " got ",
                         out.size(),
                         " bytes for ",
                         size.width,
                         " x ",
                         size.height,
                         " pixels, expected 3 for each and one pixel or more"));
  }
  const Line rows =
      make_line({image.size.height, window.top, window.size.height}, size.height, 0, size.height);
  const Line columns =
      make_line({image.size.width, window.left, window.size.width}, size.width, 0, size.width);
  resample(image, rows, columns, around, window.flipped, out);
}

std::vector<LabelledBox> objects_in(const ImageWindow& window,
                                    std::span<const LabelledBox> objects) {
  const auto left = static_cast<float>(window.left);
  const auto top = static_cast<float>(window.top);
  const auto width = static_cast<float>(window.size.width);
  const auto height = static_cast<float>(window.size.height);
  std::vector<LabelledBox> inside;
  for (LabelledBox object : objects) {
    const Box moved = {.left = object.box.left - left,
                       .top = object.box.top - top,
                       .right = object.box.right - left,
                       .bottom = object.box.bottom - top};
    const float x = (moved.left + moved.right) / 2.0F;
    const float y = (moved.top + moved.bottom) / 2.0F;
    if (!(x > 0.0F && x < width && y > 0.0F && y < height)) continue;
    const Box cut = clipped(moved, width, height);
    Box& box = object.box;
    box = {.left = cut.left / width,
           .top = cut.top / height,
           .right = cut.right / width,
           .bottom = cut.bottom / height};
    if (window.flipped) {
      box.left = 1.0F - cut.right / width;
      box.right = 1.0F - cut.left / width;
    }
    if (has_area(box)) inside.push_back(object);
  }
  return inside;
}

}  // namespace lastbit
