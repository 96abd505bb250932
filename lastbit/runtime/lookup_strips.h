#pragma once

#include <cstddef>

#include "lastbit/runtime/conv_shape.h"

namespace lastbit {

/// How a convolution by lookup cuts its results: into strips of columns, which a worker runs down
/// with the tables of the rows of inputs that the window touches, each pixel's made once.
class LookupStrips {
 public:
  /// A unit's row of results.
  struct Place {
    std::size_t group = 0;
    std::size_t sample = 0;
    std::size_t part = 0;  ///< of the blocks of outputs
    std::size_t row = 0;
    std::size_t first = 0;  ///< columns [first, end)
    std::size_t end = 0;
  };

  /// @param blocks       of outputs of a group.
  /// @param tile         results that a kernel takes at once; no strip is cut narrower for its
  /// tables.
  /// @param pixel_bytes  of the tables of a pixel.
  LookupStrips(const ConvShape& shape,
               std::size_t blocks,
               std::size_t tile,
               std::size_t pixel_bytes,
               std::size_t threads);

  std::size_t units() const noexcept {
    return shape_.groups * shape_.batch * parts_ * strips_ * rows_;
  }
  /// Unit = (group, sample, part of the blocks, strip, row), the row running fastest.
  Place place(std::size_t unit) const noexcept;

  /// Rows of results.
  std::size_t rows() const noexcept { return rows_; }
  /// Rows of tables that are kept.
  std::size_t ring() const noexcept { return ring_; }
  std::size_t parts() const noexcept { return parts_; }
  /// Results of a row of the widest strip.
  std::size_t results() const noexcept;
  /// Pixels with tables for so many results.
  std::size_t pixels(std::size_t results) const noexcept;
  /// Columns of the input from one pixel with tables to the next: of a window one column wide no
  /// columns between are needed.
  std::size_t column_step() const noexcept { return column_step_; }
  /// Pixels with tables from one result to the next.
  std::size_t result_step() const noexcept { return result_step_; }

 private:
  ConvShape shape_;
  std::size_t rows_;
  std::size_t ring_;
  std::size_t column_step_;
  std::size_t result_step_;
  std::size_t strips_ = 1;
  std::size_t parts_ = 1;
};

}  // namespace lastbit
