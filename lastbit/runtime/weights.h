#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lastbit/graph/graph.h"
#include "lastbit/runtime/step.h"

namespace lastbit {

/// A constant matrix of weights, one row an output channel, as floats or as codes.
///
/// Codes lie in fields of 1, 2, 4 or 8 bits, the fewest of these that hold the codebook's, because
/// shifts take fields apart where digits of a file take divisions.
class WeightRows {
 public:
  /// @param operand  a constant of rows * depth elements.
  /// @param transposed  it is [depth, rows], not [rows, depth].
  /// Codes stay codes where their scale is one for all or one a row; other low-bit tensors are
  /// decoded here.
  WeightRows(const Operand& operand, std::size_t rows, std::size_t depth, bool transposed);

  std::size_t depth() const noexcept { return depth_; }
  /// Floats between two rows that `read` returns.
  std::size_t stride() const noexcept { return stride_; }
  /// Floats that `read` needs for `rows` rows.
  std::size_t buffer_floats(std::size_t rows) const noexcept {
    return coded() ? rows * stride_ : 0;
  }

  /// The rows [first, first + rows) without their scale: in `buffer` if they had to be decoded.
  const float* read(const KernelSet& kernels,
                    std::size_t first,
                    std::size_t rows,
                    float* buffer) const noexcept;

  /// Floats of buffer that `dot` needs for `x_rows` rows of inputs.
  std::size_t dot_buffer_floats(std::size_t x_rows) const noexcept;
  /// out[i * out_stride + j] = the product of row i of `x`, [x_rows, depth], and row first + j,
  /// without its scale. @param rows  at most kDotRows. @param buffer  dot_buffer_floats(x_rows)
  /// floats.
  void dot(const KernelSet& kernels,
           const float* x,
           std::size_t x_rows,
           std::size_t first,
           std::size_t rows,
           float* buffer,
           float* out,
           std::size_t out_stride) const noexcept;

  /// Factor of row `row`.
  float scale(std::size_t row) const noexcept { return scales_[scales_.size() == 1 ? 0 : row]; }

  std::size_t bytes() const noexcept;

 private:
  bool coded() const noexcept { return !table_.empty(); }
  CodeRows codes(std::size_t first) const noexcept;
  void keep_floats(const Tensor& tensor, bool transposed);
  void keep_codes(const LowBitTensor& tensor, bool transposed);

  std::size_t rows_;
  std::size_t depth_;
  std::size_t stride_;
  Tensor floats_;                     // [rows, depth]
  std::vector<std::uint8_t> fields_;  // (rows, stride) fields
  int bits_ = 0;                      // of a field
  std::vector<float> table_;          // of CodeRows
  std::vector<float> scales_{1.0F};   // (1) or (rows)
};

}  // namespace lastbit
