#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "lastbit/runtime/step.h"

namespace lastbit {

/// A channels-last copy of a value, [batch, height, width, channels], with a border of zeros.
struct Plane {
  std::size_t batch = 1;
  std::size_t height = 1;
  std::size_t width = 1;
  std::size_t channels = 1;
  std::size_t top = 0;
  std::size_t bottom = 0;
  std::size_t left = 0;
  std::size_t right = 0;
  std::size_t stored = 1;  ///< Values a pixel; those beyond the channels are zeros.

  std::size_t rows() const noexcept { return top + height + bottom; }
  std::size_t columns() const noexcept { return left + width + right; }
  std::size_t size() const noexcept { return batch * rows() * columns() * stored; }
  /// Place of a pixel that is counted from the corner of the border.
  std::size_t at(std::size_t sample, std::size_t row, std::size_t column) const noexcept {
    return ((sample * rows() + row) * columns() + column) * stored;
  }
  friend bool operator==(const Plane&, const Plane&) = default;
};

/// The integer that stands for 0 where values may be negative.
inline constexpr std::int32_t kSignedZero = 128;

/// How a value's integers stand for floats: x = scale * (integer - zero), where zero is 0 or
/// kSignedZero.
struct InputScale {
  float scale = 0.0F;
  std::int32_t zero = 0;
  std::int32_t sum = 0;  ///< Of integer - zero, for the rows of matrices.
};

/// The scale for values within `range`: integers from 0 to 255 with zero at 0 where no value is
/// negative, else from 1 to 255 with zero at 128.
/// @param quantization  what makes the integers.
InputScale input_scale(Range range, Quantization& quantization) noexcept;

/// Copies floats into a plane.
std::unique_ptr<const Step> make_pad(int input, int output, const Plane& plane);

/// The range of each sample of a value, in parts: `ranges` receives (batch, range_parts(count)) of
/// them. @param count  floats of a sample
std::size_t range_parts(std::size_t count) noexcept;
std::unique_ptr<const Step> make_range(int input, int ranges, std::size_t batch, std::size_t count);

/// Makes the integers of a plane, its border and gaps at zero, and an InputScale a sample, so that
/// a sample's results do not depend on the others.
std::unique_ptr<const Step> make_quantize(
    int input, int ranges, int output, int scale, const Plane& plane);

/// Rows of a matrix [rows, depth], each made integers by a scale of its own, [rows, stored].
struct RowsLayout {
  std::size_t rows = 1;
  std::size_t depth = 1;
  std::size_t stored = 1;   ///< Integers a row; those beyond the depth stand for 0.
  bool transposed = false;  ///< The input lies as [depth, rows].
  bool as_signed = false;   ///< Each integer less 128, as vector_int8 takes them.
};

/// Makes a row integers. @param from  (depth). @param to  (stored)
InputScale quantize_row(const KernelSet& kernels,
                        const float* from,
                        const RowsLayout& layout,
                        std::uint8_t* to) noexcept;

/// @param scales  receives an InputScale a row.
std::unique_ptr<const Step> make_quantize_rows(int input,
                                               int output,
                                               int scales,
                                               const RowsLayout& layout);

/// The same rows as floats.
std::unique_ptr<const Step> make_copy_rows(int input, int output, const RowsLayout& layout);

}  // namespace lastbit
