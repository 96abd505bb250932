#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lastbit {

/// Where a parameter lies in the flat gradient, and which node of the graph reads it first.
struct GradientPlace {
  std::int64_t begin = 0;  ///< element
  std::int64_t end = 0;
  std::size_t node = 0;
};

/// Neighbours in the flat gradient that are summed over the workers together; `node` is the first
/// of any of them. Backward goes from the last node to the first, and when it has passed `node` the
/// part is complete.
using GradientPart = GradientPlace;

/// Cuts the flat gradient into parts, in the order in which backward completes them.
///
/// A part is at least a sixteenth of the gradient and 256 KiB, so that the time of messages stays
/// small beside that of bytes, but where a neighbour is complete earlier: the flat order is by kind
/// of parameter, and within a kind that of the graph. They depend on nothing but the places, hence
/// are the same on all workers and in every run.
/// @param places  of all parameters, in any order, without gaps.
std::vector<GradientPart> gradient_parts(std::vector<GradientPlace> places);

}  // namespace lastbit
