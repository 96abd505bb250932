#include "lastbit/detect/box_coding.h"

#include <cmath>

namespace lastbit {

std::array<float, 4> encode_box(const Box& box,
                                const CentredBox& prior,
                                const Variances& variances) {
  const double width = static_cast<double>(box.right) - box.left;
  const double height = static_cast<double>(box.bottom) - box.top;
  const double x = (static_cast<double>(box.left) + box.right) / 2.0;
  const double y = (static_cast<double>(box.top) + box.bottom) / 2.0;
  return {static_cast<float>((x - prior.x) / (prior.width * variances.centre)),
          static_cast<float>((y - prior.y) / (prior.height * variances.centre)),
          static_cast<float>(std::log(width / prior.width) / variances.size),
          static_cast<float>(std::log(height / prior.height) / variances.size)};
}

Box decode_box(std::span<const float, 4> offsets,
               const CentredBox& prior,
               const Variances& variances) {
  const double x = prior.x + offsets[0] * variances.centre * prior.width;
  const double y = prior.y + offsets[1] * variances.centre * prior.height;
  const double width = prior.width * std::exp(offsets[2] * variances.size);
  const double height = prior.height * std::exp(offsets[3] * variances.size);
  return {.left = static_cast<float>(x - width / 2.0),
          .top = static_cast<float>(y - height / 2.0),
          .right = static_cast<float>(x + width / 2.0),
          .bottom = static_cast<float>(y + height / 2.0)};
}

}  // namespace lastbit
