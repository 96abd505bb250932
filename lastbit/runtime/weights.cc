#include "lastbit/runtime/weights.h"

#include <algorithm>
#include <utility>

namespace lastbit {
namespace {

// From so many rows of inputs on, decoding once takes less time than looking up for each few.
constexpr std::size_t kDecodedRows = 4;

template <typename T>
std::vector<T> transpose(std::span<const T> from, std::size_t rows, std::size_t columns) {
  std::vector<T> to(from.size());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
  }
  return to;
}

// One scale for all, or one a row: the scale's only axis above 1 is then as long as there are rows,
// and is the first of the matrix (the last where it is transposed).
bool scales_rows(const LowBitTensor& tensor, std::size_t rows, bool transposed) {
  if (tensor.scales.size() == 1) return true;
  if (tensor.group != 0) return false;
  const std::size_t axis = transposed ? tensor.shape.size() - 1 : 0;
  return tensor.scales.size() == rows && tensor.scale_shape.size() == tensor.shape.size() &&
         tensor.scale_shape[axis] == static_cast<std::int64_t>(rows);
}

// Bits of a field that holds each code below `levels`.
int field_bits(int levels) noexcept {
  if (levels <= 2) return 1;
  if (levels <= 4) return 2;
  return levels <= 16 ? 4 : 8;
}

// The table of CodeRows. Codes that the codebook lacks have level 0.
std::vector<float> level_table(const Codebook& codebook, int bits) {
  const std::size_t codes = std::size_t{1} << static_cast<unsigned>(bits);
  std::vector<float> table(std::max(codes, kCodeBlock), 0.0F);
  for (std::size_t i = 0; i < table.size(); ++i) {
    const std::size_t code = i % codes;
    if (code < static_cast<std::size_t>(codebook.size())) {
      table[i] = codebook[static_cast<Code>(code)];
    }
  }
  return table;
}

}  // namespace

WeightRows::WeightRows(const Operand& operand, std::size_t rows, std::size_t depth, bool transposed)
    : rows_(rows), depth_(depth), stride_(depth) {
  const auto* lowbit = std::get_if<LowBitTensor>(operand.constant);
  if (lowbit != nullptr && lowbit->shape == operand.shape &&
      scales_rows(*lowbit, rows, transposed)) {
    keep_codes(*lowbit, transposed);
  } else {
    keep_floats(decode(*operand.constant), transposed);
  }
}

void WeightRows::keep_floats(const Tensor& tensor, bool transposed) {
  floats_ = transposed ? Tensor::floats(
                             {static_cast<std::int64_t>(rows_), static_cast<std::int64_t>(depth_)},
                             transpose(tensor.as_floats(), depth_, rows_))
                       : tensor;
}

void WeightRows::keep_codes(const LowBitTensor& tensor, bool transposed) {
  std::vector<Code> codes = unpack_lowbit(tensor).codes;
  if (transposed) codes = transpose(std::span<const Code>(codes), depth_, rows_);

  bits_ = field_bits(tensor.codebook.size());
  const auto bits = static_cast<std::size_t>(bits_);
  stride_ = (depth_ + kCodeBlock - 1) / kCodeBlock * kCodeBlock;
  fields_.assign(rows_ * stride_ * bits / 8, 0);
  for (std::size_t row = 0; row < rows_; ++row) {
    for (std::size_t k = 0; k < depth_; ++k) {
      const std::size_t bit = (row * stride_ + k) * bits;
      fields_[bit / 8] |= static_cast<std::uint8_t>(codes[row * depth_ + k] << (bit % 8));
    }
  }
  table_ = level_table(tensor.codebook, bits_);
  scales_ = tensor.scales;
}

std::size_t WeightRows::dot_buffer_floats(std::size_t x_rows) const noexcept {
  return x_rows < kDecodedRows ? 0 : buffer_floats(kDotRows);
}

CodeRows WeightRows::codes(std::size_t first) const noexcept {
  return {.fields = fields_.data() + first * stride_ / 8 * static_cast<std::size_t>(bits_),
          .stride = stride_,
          .bits = bits_,
          .table = table_.data()};
}

const float* WeightRows::read(const KernelSet& kernels,
                              std::size_t first,
                              std::size_t rows,
                              float* buffer) const noexcept {
  if (!coded()) return reinterpret_cast<const float*>(floats_.bytes().data()) + first * depth_;
  kernels.decode(codes(first), rows, buffer);
  return buffer;
}

void WeightRows::dot(const KernelSet& kernels,
                     const float* x,
                     std::size_t x_rows,
                     std::size_t first,
                     std::size_t rows,
                     float* buffer,
                     float* out,
                     std::size_t out_stride) const noexcept {
  if (coded() && x_rows < kDecodedRows) {
    kernels.dot_codes(x, depth_, x_rows, codes(first), rows, depth_, out, out_stride);
    return;
  }
  const float* w = read(kernels, first, rows, buffer);
  kernels.dot(x, depth_, x_rows, w, stride_, rows, depth_, out, out_stride);
}

std::size_t WeightRows::bytes() const noexcept {
  if (!coded()) return floats_.bytes().size();
  return fields_.size() + (table_.size() + scales_.size()) * sizeof(float);
}

}  // namespace lastbit
