#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lastbit/runtime/affine.h"
#include "lastbit/runtime/prepare.h"
#include "lastbit/runtime/product_weights.h"

namespace lastbit {

/// Up to so many rows are multiplied one by one: a tile of fewer takes as long for each weight.
inline constexpr std::size_t kVectorRows = 2;

/// A summand that is no bias: computed, or different in each row.
struct Addend {
  int slot = -1;
  float factor = 1.0F;
  std::size_t row_stride = 0;
  std::size_t column_stride = 0;
};

/// Rows of inputs in the form that a MatrixProduct reads, and where their results go.
struct ProductRows {
  const void* values = nullptr;        // (count, stored): floats, bytes or signed bytes
  const InputScale* scales = nullptr;  // (count), of integers
  std::size_t count = 0;
  float* out = nullptr;
  std::size_t stride = 0;           // floats from one result of `out` to the next
  const float* residual = nullptr;  // laid out as `out`; null for none
  const float* added = nullptr;     // of the addend's slot
};

/// How the rows of a product must lie: integers, if the weights have them and `integers` asks for
/// it.
RowsLayout product_layout(const ProductWeights& weights, RowsLayout layout, bool integers);

/// The elements of the matrix [outputs, depth] from element `first` of a tensor on, which may lie
/// as [depth, outputs].
WeightOrder matrix_order(std::size_t outputs,
                         std::size_t depth,
                         bool transposed,
                         std::size_t first = 0);

/// result[i, j] = activation(scale[j] * sum over k of input[i, k] * weights[j, k] + shift[j] +
/// residual[i, j] + addend), in blocks of columns.
class MatrixProduct {
 public:
  /// @param layout  of all rows, as `product_layout` gives it; its number of rows decides how they
  ///     are multiplied.
  /// @param integers  whether rows are integers.
  MatrixProduct(ProductWeights weights,
                OutputAffine affine,
                Activation activation,
                const RowsLayout& layout,
                bool integers,
                const Addend& addend = {});

  std::size_t blocks() const noexcept { return weights_.blocks(); }
  std::size_t outputs() const noexcept { return weights_.outputs(); }
  std::size_t stored() const noexcept { return layout_.stored; }
  bool integers() const noexcept { return integers_; }
  const RowsLayout& layout() const noexcept { return layout_; }
  std::size_t weight_bytes() const noexcept { return weights_.bytes(); }

  /// Computes blocks [begin, end) for all rows.
  void run(const KernelSet& kernels,
           const ProductRows& rows,
           std::size_t begin,
           std::size_t end) const noexcept;

 private:
  bool by_vectors() const noexcept;
  Finish finish_of(const ProductRows& rows,
                   std::size_t block,
                   std::size_t row,
                   std::size_t count) const noexcept;
  void multiply_vector(const KernelSet& kernels,
                       const ProductRows& rows,
                       std::size_t block,
                       std::size_t blocks,
                       std::size_t row) const noexcept;
  void multiply_tile(const KernelSet& kernels,
                     const ProductRows& rows,
                     std::size_t block,
                     std::size_t row,
                     std::size_t count) const noexcept;
  void multiply_floats(const KernelSet& kernels,
                       const ProductRows& rows,
                       const WeightBlock& words,
                       std::size_t row,
                       const Finish& finish) const noexcept;
  void multiply_integers(const KernelSet& kernels,
                         const ProductRows& rows,
                         const WeightBlock& words,
                         std::size_t row,
                         std::size_t column,
                         Finish finish) const noexcept;
  void finish_signed(const KernelSet& kernels,
                     const std::int32_t* sums,
                     std::size_t block,
                     const InputScale& scale,
                     const Finish& finish) const noexcept;
  void add(const KernelSet& kernels,
           const ProductRows& rows,
           std::size_t row,
           std::size_t column,
           const Finish& finish) const noexcept;

  ProductWeights weights_;
  OutputAffine affine_;
  Activation activation_;
  RowsLayout layout_;
  bool integers_;
  Addend addend_;
  std::vector<std::int32_t> offsets_;
  std::uint8_t values_[16] = {};  // of each code: its integer level less the lowest
  bool values_are_codes_ = true;
  std::int32_t lowest_ = 0;
};

}  // namespace lastbit
