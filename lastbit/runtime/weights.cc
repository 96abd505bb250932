#include "lastbit/runtime/weights.h"

#include <algorithm>
#include <utility>

#include "lastbit/quant/digits.h"

namespace lastbit {
namespace {

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
  const std::size_t axis = transposed ? tensor.shape.size() - 1 : 0;
  return tensor.scales.size() == rows && tensor.scale_shape.size() == tensor.shape.size() &&
         tensor.scale_shape[axis] == static_cast<std::int64_t>(rows);
}

// Levels of every byte's digits. Bytes that no packing contains stay 0.
std::vector<float> digit_table(const Codebook& codebook) {
  const int radix = codebook.size();
  const int digits = digits_per_byte(radix);
  std::size_t bytes = 1;
  for (int d = 0; d < digits; ++d) bytes *= static_cast<std::size_t>(radix);
  std::vector<float> table(256 * kDigitSlots, 0.0F);
  std::vector<Code> codes(static_cast<std::size_t>(digits));
  for (std::size_t byte = 0; byte < bytes; ++byte) {
    const auto value = static_cast<std::uint8_t>(byte);
    unpack({&value, 1}, radix, 0, codes);
    for (std::size_t d = 0; d < codes.size(); ++d) {
      table[byte * kDigitSlots + d] = codebook[codes[d]];
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
  const int radix = tensor.codebook.size();
  std::vector<Code> codes = unpack_lowbit(tensor).codes;
  if (transposed) codes = transpose(std::span<const Code>(codes), depth_, rows_);

  digits_ = digits_per_byte(radix);
  row_bytes_ = packed_size(depth_, radix);
  bytes_.reserve(rows_ * row_bytes_);
  for (std::size_t row = 0; row < rows_; ++row) {
    const auto packed = pack(std::span<const Code>(codes).subspan(row * depth_, depth_), radix);
    bytes_.insert(bytes_.end(), packed.begin(), packed.end());
  }
  table_ = digit_table(tensor.codebook);
  scales_ =
      tensor.scales.size() == 1 ? std::vector<float>(rows_, tensor.scales.front()) : tensor.scales;
  // A multiple of 16 keeps rows on the alignment of the arena.
  const std::size_t floats = row_bytes_ * static_cast<std::size_t>(digits_) + kDigitSlots;
  stride_ = (floats + 15) / 16 * 16;
}

const float* WeightRows::read(const KernelSet& kernels,
                              std::size_t first,
                              std::size_t rows,
                              float* buffer) const noexcept {
  if (table_.empty())
    return reinterpret_cast<const float*>(floats_.bytes().data()) + first * depth_;
  for (std::size_t row = 0; row < rows; ++row) {
    kernels.decode_digits(bytes_.data() + (first + row) * row_bytes_,
                          row_bytes_,
                          digits_,
                          table_.data(),
                          buffer + row * stride_);
  }
  return buffer;
}

std::size_t WeightRows::bytes() const noexcept {
  if (table_.empty()) return floats_.bytes().size();
  return bytes_.size() + (table_.size() + scales_.size()) * sizeof(float);
}

}  // namespace lastbit
