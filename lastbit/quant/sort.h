#pragma once

#include <span>
#include <vector>

namespace lastbit {

/// Sorts in ascending order, -0 before 0: a radix sort on the bits, three passes of 11, where there
/// are enough values to pay for its counters.
///
/// @param values   none NaN. Its content is lost.
/// @param scratch  as large as `values`.
/// @return the sorted numbers, which lie in `values` or in `scratch`.
std::span<float> sort_floats(std::span<float> values, std::span<float> scratch);

/// The same on two threads, for millions.
std::span<float> sort_many_floats(std::span<float> values, std::span<float> scratch);

/// A value and what its squared error counts for.
struct WeightedValue {
  float value;
  float importance;
};

/// Sorts by value, and among equal values by importance, so that sums in this order do not depend
/// on the order before.
void sort_weighted(std::vector<WeightedValue>& values);

}  // namespace lastbit
