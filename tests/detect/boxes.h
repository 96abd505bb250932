#pragma once

#include "lastbit/base/random.h"
#include "lastbit/detect/box.h"

namespace lastbit {

/// A box with whole edges in [0, size] and area.
inline Box random_box(Random& random, std::uint64_t size) {
  const auto pair = [&](float& low, float& high) {
    const std::uint64_t first = random.below(size);
    low = static_cast<float>(first);
    high = static_cast<float>(first + 1 + random.below(size - first));
  };
  Box box;
  pair(box.left, box.right);
  pair(box.top, box.bottom);
  return box;
}

}  // namespace lastbit
