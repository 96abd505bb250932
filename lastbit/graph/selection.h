#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lastbit/graph/graph.h"

namespace lastbit {

/// What stands where a Pad reaches beyond its input.
enum class Border : std::uint8_t { kValue, kEdge, kReflect };

/// One axis of the result of a Slice or Pad: which positions of the input it holds.
struct SelectedAxis {
  std::int64_t input = 1;   ///< size of the input
  std::int64_t output = 1;  ///< size of the result
  std::int64_t start = 0;   ///< position of the first; negative where a border comes before
  std::int64_t step = 1;
  Border border = Border::kValue;

  /// The position in the input of the result's element `i`; -1 where the border's value stands.
  std::int64_t position(std::int64_t i) const noexcept;

  friend bool operator==(const SelectedAxis&, const SelectedAxis&) = default;
};

/// The axes of what the Slice or Pad `node` takes of an input of `shape`, one for each of its axes.
///
/// @param parameters  the integers of its inputs after the first, in their order; empty for those
///     that it lacks and for Pad's value. Slice: starts, ends, axes, steps. Pad: pads, -, axes.
/// @throws InputError naming the node for lists that do not fit the shape or each other, a step of
///     0, an unknown mode, or a reflection of more than the input has.
std::vector<SelectedAxis> selected_axes(const Node& node,
                                        std::span<const std::int64_t> shape,
                                        const std::vector<std::vector<std::int64_t>>& parameters);

}  // namespace lastbit
