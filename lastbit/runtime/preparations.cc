#include "lastbit/runtime/preparations.h"

#include <algorithm>

#include "lastbit/base/text.h"

namespace lastbit {
namespace {

void widen(Plane& plane, const Plane& other) {
  plane.top = std::max(plane.top, other.top);
  plane.bottom = std::max(plane.bottom, other.bottom);
  plane.left = std::max(plane.left, other.left);
  plane.right = std::max(plane.right, other.right);
}

bool covers(const Plane& plane, const Plane& wanted) {
  return plane.top >= wanted.top && plane.bottom >= wanted.bottom && plane.left >= wanted.left &&
         plane.right >= wanted.right;
}

}  // namespace

void Preparations::expect(const std::string& value, const Plane& plane) {
  widen(borders_[value], plane);
}

Prepared Preparations::plane(const std::string& value,
                             int slot,
                             const Plane& wanted,
                             bool integers) {
  const Key key{slot, wanted.height, wanted.width, wanted.channels, wanted.stored, integers};
  const auto found = made_.find(key);
  if (found != made_.end() && covers(found->second.plane, wanted)) return found->second;

  Prepared made{.slot = slot, .plane = wanted};
  const auto border = borders_.find(value);
  if (border != borders_.end()) widen(made.plane, border->second);
  const Plane& plane = made.plane;
  const std::size_t sizes[] = {plane.batch, plane.rows(), plane.columns(), plane.stored};
  plan_.check_memory(cat("value '", value, "' with its border"), sizes);
  const std::size_t count = plane.height * plane.width * plane.channels;
  if (integers) {
    const int ranges = plan_.add_buffer(plane.batch * range_parts(count) * sizeof(Range));
    plan_.add_step(make_range(slot, ranges, plane.batch, count), {slot, ranges}, "range");
    made.slot = plan_.add_buffer(plane.size());
    made.scale = plan_.add_buffer(plane.batch * sizeof(InputScale));
    plan_.add_step(make_quantize(slot, ranges, made.slot, made.scale, plane),
                   {slot, ranges, made.slot, made.scale},
                   "quantize");
  } else if (plane.size() != plane.batch * count || plane.stored % kGroupInputs != 0) {
    made.slot = plan_.add_buffer(plane.size() * sizeof(float));
    plan_.add_step(make_pad(slot, made.slot, plane), {slot, made.slot}, "pad");
  }
  made_.insert_or_assign(key, made);
  return made;
}

}  // namespace lastbit
