#pragma once

#include <cstddef>
#include <span>

namespace lastbit {

/// How many rows of the result of a NonMaxSuppression hold a selection.
///
/// How many boxes it selects depends on the values, while outputs of a session have one size: its
/// port has a row (batch, class, box) for each that it could select, batch * classes * the most of
/// a class. Selections come first; in all rows behind them stands -1.
/// @param rows  (most, 3), as the session wrote them.
std::size_t selected_rows(std::span<const float> rows) noexcept;

}  // namespace lastbit
