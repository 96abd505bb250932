#include "lastbit/runtime/lookup_strips.h"

#include <algorithm>

namespace lastbit {
namespace {

std::size_t size_of(std::ptrdiff_t size) { return static_cast<std::size_t>(size); }

// Of the tables that a worker keeps, which are best found in the second-level cache.
constexpr std::size_t kTableBytes = std::size_t{448} << 10U;
// Columns that a strip has at least where it is cut for the number of threads.
constexpr std::size_t kStrip = 16;
// Units that a thread should have at least.
constexpr std::size_t kThreadUnits = 4;

}  // namespace

LookupStrips::LookupStrips(const ConvShape& shape,
                           std::size_t blocks,
                           std::size_t tile,
                           std::size_t pixel_bytes,
                           std::size_t threads)
    : shape_(shape),
      rows_(size_of(shape.y.output)),
      ring_(size_of((shape.y.kernel - 1) * shape.y.dilation) + 1),
      column_step_(shape.x.kernel == 1 ? size_of(shape.x.stride) : 1),
      result_step_(size_of(shape.x.stride) / column_step_) {
  while (results() > tile && ring_ * pixels(results()) * pixel_bytes > kTableBytes) ++strips_;
  if (threads == 1) return;
  const std::size_t width = size_of(shape_.x.output);
  while (units() < kThreadUnits * threads && width >= 2 * kStrip * strips_) strips_ *= 2;
  parts_ = units() < kThreadUnits * threads ? std::min(threads, blocks) : 1;
}

LookupStrips::Place LookupStrips::place(std::size_t unit) const noexcept {
  const std::size_t width = size_of(shape_.x.output);
  const std::size_t strip = unit / rows_ % strips_;
  return {.group = unit / rows_ / strips_ / parts_ / shape_.batch,
          .sample = unit / rows_ / strips_ / parts_ % shape_.batch,
          .part = unit / rows_ / strips_ % parts_,
          .row = unit % rows_,
          .first = width * strip / strips_,
          .end = width * (strip + 1) / strips_};
}

std::size_t LookupStrips::results() const noexcept {
  return (size_of(shape_.x.output) + strips_ - 1) / strips_;
}

std::size_t LookupStrips::pixels(std::size_t results) const noexcept {
  return (results - 1) * result_step_ + size_of((shape_.x.kernel - 1) * shape_.x.dilation) + 1;
}

}  // namespace lastbit
