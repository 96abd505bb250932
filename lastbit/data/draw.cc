#include "lastbit/data/draw.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "lastbit/base/text.h"
#include "lastbit/data/font.h"

namespace lastbit {
namespace {

constexpr std::int64_t kPitch = kLetterWidth + 1;

// First pixel whose middle is at `edge` or behind it, within [0, size].
std::int64_t first_pixel(float edge, std::int64_t size) noexcept {
  const double at = std::ceil(static_cast<double>(edge) - 0.5);
  return at > 0.0 ? static_cast<std::int64_t>(std::min(at, static_cast<double>(size))) : 0;
}

bool starts_character(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xc0U) != 0x80U;
}

std::int64_t characters(std::string_view text) noexcept {
  return std::ranges::count_if(text, starts_character);
}

std::string caption(const Detection& detection, std::span<const std::string> class_names) {
  const auto label = static_cast<std::size_t>(detection.label);
  const std::string name = detection.label >= 0 && label < class_names.size()
                               ? class_names[label]
                               : cat(detection.label);
  return cat(name, ' ', std::lround(100.0 * std::clamp(detection.score, 0.0F, 1.0F)), '%');
}

Rgb text_colour(const Rgb& ground) noexcept {
  // Brightness as television weighs it.
  const int bright = 299 * ground[0] + 587 * ground[1] + 114 * ground[2];
  return bright > 140'000 ? Rgb{0, 0, 0} : Rgb{255, 255, 255};
}

void draw_one(const Detection& detection,
              std::span<const std::string> class_names,
              std::int64_t scale,
              Image& image) {
  const Rgb colour = colour_of(detection.label);
  const Box& box = detection.box;
  draw_frame(box, 2 * scale, colour, image);
  const std::string text = caption(detection, class_names);
  const std::int64_t width = scale * (characters(text) * kPitch + 1);
  const std::int64_t height = scale * (static_cast<std::int64_t>(kLetterHeight) + 2);
  // Above the box, or inside it where there is no room; never beyond the image's right edge.
  const std::int64_t left =
      std::clamp<std::int64_t>(first_pixel(box.left, image.size.width),
                               0,
                               std::max<std::int64_t>(0, image.size.width - width));
  const std::int64_t edge = first_pixel(box.top, image.size.height);
  const std::int64_t top = edge >= height ? edge - height : edge;
  fill_box({static_cast<float>(left),
            static_cast<float>(top),
            static_cast<float>(left + width),
            static_cast<float>(top + height)},
           colour,
           image);
  draw_text(text, left + scale, top + scale, scale, text_colour(colour), image);
}

}  // namespace

Rgb colour_of(std::int32_t label) noexcept {
  constexpr std::array<Rgb, 20> kColours = {
      {{230, 25, 75},   {60, 180, 75},   {255, 225, 25},  {0, 110, 220},   {245, 130, 48},
       {145, 30, 180},  {70, 220, 230},  {240, 50, 230},  {190, 240, 70},  {250, 170, 190},
       {0, 128, 128},   {200, 170, 255}, {150, 90, 30},   {255, 250, 200}, {128, 0, 0},
       {160, 255, 195}, {128, 128, 0},   {255, 200, 150}, {0, 0, 128},     {128, 128, 128}}};
  return kColours[static_cast<std::uint32_t>(label) % kColours.size()];
}

void fill_box(const Box& box, const Rgb& colour, Image& image) noexcept {
  const auto [height, width] = image.size;
  const std::int64_t right = first_pixel(box.right, width);
  for (std::int64_t y = first_pixel(box.top, height); y < first_pixel(box.bottom, height); ++y) {
    for (std::int64_t x = first_pixel(box.left, width); x < right; ++x) {
      std::ranges::copy(colour, image.pixels.begin() + 3 * (y * width + x));
    }
  }
}

void draw_frame(const Box& box, std::int64_t width, const Rgb& colour, Image& image) noexcept {
  const auto thick = static_cast<float>(width);
  const float left = std::min(box.left + thick, box.right);
  const float right = std::max(box.right - thick, box.left);
  const float top = std::min(box.top + thick, box.bottom);
  const float bottom = std::max(box.bottom - thick, box.top);
  fill_box({box.left, box.top, box.right, top}, colour, image);
  fill_box({box.left, bottom, box.right, box.bottom}, colour, image);
  fill_box({box.left, box.top, left, box.bottom}, colour, image);
  fill_box({right, box.top, box.right, box.bottom}, colour, image);
}

void draw_text(std::string_view text,
               std::int64_t x,
               std::int64_t y,
               std::int64_t scale,
               const Rgb& colour,
               Image& image) noexcept {
  for (const char letter : text) {
    if (!starts_character(letter)) continue;
    for (std::size_t row = 0; row < kLetterHeight; ++row) {
      for (std::size_t column = 0; column < kLetterWidth; ++column) {
        if (!letter_pixel(letter, row, column)) continue;
        const auto left = static_cast<float>(x + scale * static_cast<std::int64_t>(column));
        const auto top = static_cast<float>(y + scale * static_cast<std::int64_t>(row));
        const auto side = static_cast<float>(scale);
        fill_box({left, top, left + side, top + side}, colour, image);
      }
    }
    x += scale * kPitch;
  }
}

void draw_detections(std::span<const Detection> detections,
                     std::span<const std::string> class_names,
                     Image& image) {
  std::vector<const Detection*> order;
  for (const Detection& detection : detections) order.push_back(&detection);
  std::ranges::stable_sort(order, {}, [](const Detection* one) { return one->score; });
  // A line of text is about a fortieth of the shorter side.
  const std::int64_t scale =
      std::max<std::int64_t>(1, std::min(image.size.height, image.size.width) / 300);
  for (const Detection* one : order) draw_one(*one, class_names, scale, image);
}

}  // namespace lastbit
