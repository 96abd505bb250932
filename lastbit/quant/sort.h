#pragma once

#include <span>

namespace lastbit {

/// Sorts magnitudes in ascending order: a radix sort on their bits, three passes of 11 bits, where
/// there are enough of them to pay for its counters.
///
/// @param values   none negative (not -0 either), none NaN. Its content is lost.
/// @param scratch  as large as `values`.
/// @return the sorted numbers, which lie in `values` or in `scratch`.
std::span<float> sort_magnitudes(std::span<float> values, std::span<float> scratch);

}  // namespace lastbit
