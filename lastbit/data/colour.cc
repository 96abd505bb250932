#include "lastbit/data/colour.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace lastbit {
namespace {

constexpr double kBrightness = 32.0;
constexpr double kLeast = 0.5;
constexpr double kMost = 1.5;
constexpr double kHue = 18.0;

using Colour = std::array<float, 3>;

bool coin(Random& random) noexcept { return random.below(2) == 1; }

void cut(Colour& colour) noexcept {
  for (float& value : colour) value = std::clamp(value, 0.0F, 255.0F);
}

// Hue in sixths of a turn, [0, 6).
float hue_of(const Colour& colour, float most, float chroma) noexcept {
  if (chroma <= 0.0F) return 0.0F;
  const auto [red, green, blue] = colour;
  if (most == red) return green >= blue ? (green - blue) / chroma : 6.0F + (green - blue) / chroma;
  if (most == green) return 2.0F + (blue - red) / chroma;
  return 4.0F + (red - green) / chroma;
}

// In HSV: the largest value stays, the distance of the others to it grows with the saturation.
void turn(Colour& colour, float saturation, float sixths) noexcept {
  const float most = std::max({colour[0], colour[1], colour[2]});
  const float chroma = most - std::min({colour[0], colour[1], colour[2]});
  const float hue = hue_of(colour, most, chroma) + sixths + 6.0F;
  const float stretched = std::min(chroma * saturation, most);
  for (std::size_t c = 0; c < 3; ++c) {
    // Red is strongest at 0 sixths of a turn, green at 2 and blue at 4.
    float far = hue - 2.0F * static_cast<float>(c) + 6.0F;
    far -= 6.0F * std::floor(far / 6.0F);
    const float distance = std::min(far, 6.0F - far);  // 0, ..., 3
    colour[c] = most - stretched * std::clamp(distance - 1.0F, 0.0F, 1.0F);
  }
}

}  // namespace

ColourShift draw_colour_shift(Random& random) noexcept {
  const auto maybe = [&](float otherwise, double low, double high) {
    // Drawn in any case, so that what follows does not depend on the coin.
    const bool wanted = coin(random);
    const auto value = static_cast<float>(random.uniform(low, high));
    return wanted ? value : otherwise;
  };
  ColourShift shift;
  shift.brightness = maybe(0.0F, -kBrightness, kBrightness);
  shift.contrast = maybe(1.0F, kLeast, kMost);
  shift.saturation = maybe(1.0F, kLeast, kMost);
  shift.hue = maybe(0.0F, -kHue, kHue);
  shift.contrast_last = coin(random);
  return shift;
}

void shift_colours(const ColourShift& shift, Image& image) noexcept {
  const float before = shift.contrast_last ? 1.0F : shift.contrast;
  const float after = shift.contrast_last ? shift.contrast : 1.0F;
  const bool turns = shift.saturation != 1.0F || shift.hue != 0.0F;
  for (std::size_t i = 0; i + 2 < image.pixels.size(); i += 3) {
    std::uint8_t* const pixel = image.pixels.data() + i;
    Colour colour;
    for (std::size_t c = 0; c < 3; ++c) {
      colour[c] = (static_cast<float>(pixel[c]) + shift.brightness) * before;
    }
    if (turns) {
      cut(colour);
      turn(colour, shift.saturation, shift.hue / 60.0F);
    }
    for (float& value : colour) value *= after;
    cut(colour);
    for (std::size_t c = 0; c < 3; ++c) pixel[c] = static_cast<std::uint8_t>(colour[c] + 0.5F);
  }
}

}  // namespace lastbit
