#include "lastbit/runtime/matrix_product.h"

#include <algorithm>
#include <utility>

#include "lastbit/base/vectorize.h"

namespace lastbit {
namespace {

// Blocks that a kernel of vectors takes at once, to have enough sums under way.
constexpr std::size_t kVectorRun = 8;

// to = factor * from + offset, where sums fit in 32 bits although parts of them may not.
LASTBIT_VECTORIZE void scale_sums(const std::int32_t* __restrict from,
                                  std::size_t count,
                                  std::uint32_t factor,
                                  std::uint32_t offset,
                                  std::int32_t* __restrict to) {
  for (std::size_t i = 0; i < count; ++i) {
    to[i] = static_cast<std::int32_t>(factor * static_cast<std::uint32_t>(from[i]) + offset);
  }
}

}  // namespace

RowsLayout product_layout(const ProductWeights& weights, RowsLayout layout, bool integers) {
  layout.as_signed = integers && layout.rows <= kVectorRows && weights.bits() <= 4 &&
                     weights.groups() <= kVectorGroups;
  return layout;
}

WeightOrder matrix_order(std::size_t outputs,
                         std::size_t depth,
                         bool transposed,
                         std::size_t first) {
  WeightOrder order;
  order.outputs = outputs;
  order.first = first;
  order.output_step = transposed ? 1 : depth;
  const std::size_t stored = (depth + kGroupInputs - 1) / kGroupInputs * kGroupInputs;
  for (std::size_t k = 0; k < stored; ++k) {
    order.inputs.push_back(k >= depth ? -1
                                      : static_cast<std::int64_t>(transposed ? k * outputs : k));
  }
  return order;
}

MatrixProduct::MatrixProduct(ProductWeights weights,
                             OutputAffine affine,
                             Activation activation,
                             const RowsLayout& layout,
                             bool integers,
                             const Addend& addend)
    : weights_(std::move(weights)),
      affine_(std::move(affine)),
      activation_(activation),
      layout_(layout),
      integers_(integers),
      addend_(addend) {
  for (std::size_t g = 0; g < weights_.groups(); ++g) {
    offsets_.push_back(static_cast<std::int32_t>(g * kGroupInputs));
  }
  const std::int8_t* levels = weights_.levels();
  const std::int32_t codes = weights_.integers() ? weights_.codes() : 0;
  if (weights_.bits() > 4 || codes == 0) return;
  const std::int8_t lowest = *std::min_element(levels, levels + codes);
  lowest_ = lowest;
  for (std::int32_t code = 0; code < 16; ++code) {
    values_[code] = static_cast<std::uint8_t>(levels[code] - lowest_);
    values_are_codes_ = values_are_codes_ && (code >= codes || values_[code] == code);
  }
}

void MatrixProduct::run(const KernelSet& kernels,
                        const ProductRows& rows,
                        std::size_t begin,
                        std::size_t end) const noexcept {
  for (std::size_t block = begin; block < end;) {
    std::size_t blocks = 1;
    if (by_vectors()) {
      while (block + blocks < end && blocks < kVectorRun &&
             weights_.block(block + blocks).width == weights_.block(block).width) {
        ++blocks;
      }
      for (std::size_t row = 0; row < rows.count; ++row) {
        multiply_vector(kernels, rows, block, blocks, row);
      }
    } else {
      for (std::size_t row = 0; row < rows.count; row += kTileRows) {
        multiply_tile(kernels, rows, block, row, std::min(kTileRows, rows.count - row));
      }
    }
    block += blocks;
  }
}

bool MatrixProduct::by_vectors() const noexcept {
  return integers_ ? layout_.as_signed : layout_.rows <= kVectorRows;
}

Finish MatrixProduct::finish_of(const ProductRows& rows,
                                std::size_t block,
                                std::size_t row,
                                std::size_t count) const noexcept {
  const std::size_t column = block * kBlockOutputs;
  Finish finish{.count = count,
                .outputs = weights_.outputs_of(block),
                .sums_stride = static_cast<std::size_t>(weights_.block(block).width) * kWordOutputs,
                .scale = affine_.scale.data() + column,
                .bias = affine_.shift.data() + column,
                .stride = rows.stride,
                .activation = addend_.slot < 0 ? activation_ : Activation{},
                .out = rows.out + row * rows.stride + column};
  if (rows.residual != nullptr) finish.residual = rows.residual + row * rows.stride + column;
  return finish;
}

void MatrixProduct::multiply_vector(const KernelSet& kernels,
                                    const ProductRows& rows,
                                    std::size_t block,
                                    std::size_t blocks,
                                    std::size_t row) const noexcept {
  alignas(64) float floats[kVectorRun * kBlockOutputs];
  alignas(64) std::int32_t integers[kVectorRun * kBlockOutputs];
  const WeightBlock words = weights_.block(block);
  if (!integers_) {
    const float* x = static_cast<const float*>(rows.values) + row * layout_.stored;
    kernels.vector_float(x, offsets_.size(), words, blocks, floats);
  } else {
    const auto* x = static_cast<const std::int8_t*>(rows.values) + row * layout_.stored;
    kernels.vector_int8(
        x, offsets_.size(), words, blocks, values_are_codes_ ? nullptr : values_, integers);
  }
  for (std::size_t i = 0; i < blocks; ++i) {
    const Finish finish = finish_of(rows, block + i, row, 1);
    if (!integers_) {
      kernels.finish_float(floats + i * finish.sums_stride, finish);
    } else {
      finish_signed(
          kernels, integers + i * finish.sums_stride, block + i, rows.scales[row], finish);
    }
    if (addend_.slot >= 0) add(kernels, rows, row, (block + i) * kBlockOutputs, finish);
  }
}

void MatrixProduct::multiply_tile(const KernelSet& kernels,
                                  const ProductRows& rows,
                                  std::size_t block,
                                  std::size_t row,
                                  std::size_t count) const noexcept {
  const WeightBlock words = weights_.block(block);
  const Finish finish = finish_of(rows, block, row, count);
  const std::size_t column = block * kBlockOutputs;
  if (!integers_) {
    multiply_floats(kernels, rows, words, row, finish);
  } else {
    multiply_integers(kernels, rows, words, row, column, finish);
  }
  if (addend_.slot >= 0) add(kernels, rows, row, column, finish);
}

void MatrixProduct::multiply_floats(const KernelSet& kernels,
                                    const ProductRows& rows,
                                    const WeightBlock& words,
                                    std::size_t row,
                                    const Finish& finish) const noexcept {
  alignas(64) float sums[kTileRows * kBlockOutputs];
  const float* inputs[kTileRows];
  for (std::size_t r = 0; r < finish.count; ++r) {
    inputs[r] = static_cast<const float*>(rows.values) + (row + r) * layout_.stored;
  }
  kernels.tile_float({inputs, finish.count, offsets_.data(), offsets_.size()}, words, sums);
  kernels.finish_float(sums, finish);
}

// sum of level * (x - zero) = sum of level * x - zero * (sum of levels)
void MatrixProduct::multiply_integers(const KernelSet& kernels,
                                      const ProductRows& rows,
                                      const WeightBlock& words,
                                      std::size_t row,
                                      std::size_t column,
                                      Finish finish) const noexcept {
  alignas(64) std::int32_t sums[kTileRows * kBlockOutputs];
  const std::uint8_t* inputs[kTileRows];
  for (std::size_t r = 0; r < finish.count; ++r) {
    inputs[r] = static_cast<const std::uint8_t*>(rows.values) + (row + r) * layout_.stored;
  }
  kernels.tile_int8({inputs, finish.count, offsets_.data(), offsets_.size()}, words, sums);
  const std::size_t count = std::exchange(finish.count, 1);
  for (std::size_t r = 0; r < count; ++r) {
    const InputScale& scale = rows.scales[row + r];
    std::int32_t zeros[kBlockOutputs];
    scale_sums(weights_.level_sums().data() + column,
               finish.outputs,
               static_cast<std::uint32_t>(scale.zero),
               0,
               zeros);
    kernels.finish_int8(
        sums + r * finish.sums_stride, zeros, scale.scale * weights_.unit(), finish);
    finish.out += finish.stride;
    if (finish.residual != nullptr) finish.residual += finish.stride;
  }
}

// With level = value + lowest, and x as x - 128:
// sum of level * (x - zero) = sum of value * (x - 128) + (128 - zero) * (sum of values)
//                             + lowest * sum of (x - zero)
void MatrixProduct::finish_signed(const KernelSet& kernels,
                                  const std::int32_t* sums,
                                  std::size_t block,
                                  const InputScale& scale,
                                  const Finish& finish) const noexcept {
  std::int32_t zeros[kBlockOutputs];
  const auto factor = static_cast<std::uint32_t>(scale.zero - 128);
  const std::uint32_t inputs =
      factor * static_cast<std::uint32_t>(layout_.stored) + static_cast<std::uint32_t>(scale.sum);
  scale_sums(weights_.level_sums().data() + block * kBlockOutputs,
             finish.outputs,
             factor,
             static_cast<std::uint32_t>(-lowest_) * inputs,
             zeros);
  kernels.finish_int8(sums, zeros, scale.scale * weights_.unit(), finish);
}

void MatrixProduct::add(const KernelSet& kernels,
                        const ProductRows& rows,
                        std::size_t row,
                        std::size_t column,
                        const Finish& finish) const noexcept {
  const float* from = rows.added;
  for (std::size_t r = 0; r < finish.count; ++r) {
    float* to = finish.out + r * finish.stride;
    for (std::size_t o = 0; o < finish.outputs; ++o) {
      to[o] += addend_.factor *
               from[(row + r) * addend_.row_stride + (column + o) * addend_.column_stride];
    }
    kernels.activate(activation_, to, finish.outputs);
  }
}

}  // namespace lastbit
