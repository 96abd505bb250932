#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace lastbit {

/// A function of one value, applied where an operator's result is written.
struct Activation {
  enum class Kind : std::uint8_t { kNone, kRelu, kLeakyRelu, kSigmoid, kTanh };

  Kind kind = Kind::kNone;
  float slope = 0.0F;  ///< For negative values; kLeakyRelu alone.
};

/// Rows of weights that `panel` and `dot` take at most.
inline constexpr std::size_t kPanelRows = 6;
inline constexpr std::size_t kDotRows = 8;
/// `panel` works on widths that are a multiple of this.
inline constexpr std::size_t kPanelStep = 16;
/// Rows of codes are filled up to a multiple of this.
inline constexpr std::size_t kCodeBlock = 16;

/// Rows of weights as codes: w[j * stride + k] is table[field j * stride + k].
struct CodeRows {
  const std::uint8_t* fields;  ///< The first field lies in the lowest bits of the first byte.
  std::size_t stride;          ///< Fields between two rows, a multiple of kCodeBlock.
  int bits;                    ///< Of a field: 1, 2, 4 or 8.
  /// The level of each code: 256 for 8 bits, else kCodeBlock, repeating the first 2^bits, so that a
  /// lookup by four bits need not mask off the neighbours of a field. All are finite.
  const float* table;
};

/// The inner loops for one instruction set.
///
/// Each result element is summed in one order, whatever the number of rows and columns in a call,
/// so results do not depend on how work is divided. Two sets may differ in the last bits: they sum
/// in different orders, and some fuse a product and a sum.
struct KernelSet {
  const char* name;

  /// out[i * out_stride + j] = sum over k of x[i * x_stride + k] * w[j * w_stride + k].
  /// @param w_rows  1 to kDotRows.
  void (*dot)(const float* x,
              std::size_t x_stride,
              std::size_t x_rows,
              const float* w,
              std::size_t w_stride,
              std::size_t w_rows,
              std::size_t depth,
              float* out,
              std::size_t out_stride) noexcept;

  /// out[r * width + p] = sum over k of w[r * w_stride + k] * columns[k * width + p].
  /// @param rows  1 to kPanelRows. @param width  a multiple of kPanelStep.
  void (*panel)(const float* w,
                std::size_t w_stride,
                std::size_t rows,
                const float* columns,
                std::size_t depth,
                std::size_t width,
                float* out) noexcept;

  /// What `dot` gives for the levels of `w`, to the bit.
  void (*dot_codes)(const float* x,
                    std::size_t x_stride,
                    std::size_t x_rows,
                    const CodeRows& w,
                    std::size_t w_rows,
                    std::size_t depth,
                    float* out,
                    std::size_t out_stride) noexcept;

  /// Writes the levels of `rows` rows, w.stride floats each.
  void (*decode)(const CodeRows& w, std::size_t rows, float* out) noexcept;

  /// Applies `activation` in place.
  void (*activate)(Activation activation, float* values, std::size_t count) noexcept;
};

/// Plain loops in the order of the formulas: the definition of every kernel.
const KernelSet& scalar_kernels() noexcept;

/// The sets that this processor can run, the fastest first and the scalar one last.
std::span<const KernelSet* const> runnable_kernels() noexcept;

}  // namespace lastbit
