#include "lastbit/detect/box.h"

#include <algorithm>
#include <cmath>

namespace lastbit {
namespace {

double length(float from, float to, double extra) noexcept {
  return std::max(0.0, static_cast<double>(to) - static_cast<double>(from) + extra);
}

}  // namespace

bool has_area(const Box& box) noexcept {
  // A comparison with nan is false.
  return box.right > box.left && box.bottom > box.top && std::isfinite(box.right - box.left) &&
         std::isfinite(box.bottom - box.top);
}

double area(const Box& box, double extra) noexcept {
  return length(box.left, box.right, extra) * length(box.top, box.bottom, extra);
}

Box clipped(const Box& box, float width, float height) noexcept {
  return {.left = std::clamp(box.left, 0.0F, width),
          .top = std::clamp(box.top, 0.0F, height),
          .right = std::clamp(box.right, 0.0F, width),
          .bottom = std::clamp(box.bottom, 0.0F, height)};
}

double iou(const Box& a, const Box& b, double extra) noexcept {
  const double both = length(std::max(a.left, b.left), std::min(a.right, b.right), extra) *
                      length(std::max(a.top, b.top), std::min(a.bottom, b.bottom), extra);
  if (both <= 0.0) return 0.0;  // most pairs, of which nothing more is asked
  const double either = area(a, extra) + area(b, extra) - both;
  return either > 0.0 ? both / either : 0.0;
}

}  // namespace lastbit
