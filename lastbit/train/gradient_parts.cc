#include "lastbit/train/gradient_parts.h"

#include <algorithm>

namespace lastbit {

std::vector<GradientPart> gradient_parts(std::vector<GradientPlace> places) {
  constexpr std::int64_t kLeast = (256 << 10) / sizeof(float);
  std::sort(places.begin(), places.end(), [](const GradientPlace& a, const GradientPlace& b) {
    return a.begin > b.begin;
  });
  const std::int64_t least = places.empty() ? 0 : std::max(kLeast, places.front().end / 16);
  std::vector<GradientPart> parts;
  for (const GradientPlace& place : places) {
    const bool open = !parts.empty() && parts.back().end - parts.back().begin < least;
    if (!open || place.node > parts.back().node) {
      parts.push_back(place);
      continue;
    }
    parts.back().begin = place.begin;
    parts.back().node = place.node;
  }
  std::stable_sort(parts.begin(), parts.end(), [](const GradientPart& a, const GradientPart& b) {
    return a.node > b.node;
  });
  return parts;
}

}  // namespace lastbit
