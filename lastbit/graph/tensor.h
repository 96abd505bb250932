#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/graph/bytes.h"

namespace lastbit {

/// Sizes of a tensor, outermost first. Empty for a scalar.
using Shape = std::vector<std::int64_t>;

/// Number of elements. All sizes must be known and not negative.
std::int64_t element_count(std::span<const std::int64_t> shape) noexcept;

/// The same for sizes that come from a file or a caller: nothing where one is negative, or where
/// the product of those that are not 0 exceeds 2^60 (so that byte counts and sums of sizes cannot
/// overflow).
std::optional<std::int64_t> checked_element_count(std::span<const std::int64_t> shape) noexcept;

/// "[1, 28, 28]"
std::string to_string(std::span<const std::int64_t> shape);

/// Element types, numbered as in ONNX's TensorProto.DataType.
enum class DType : std::int32_t {
  kUndefined = 0,
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kBfloat16 = 16,
};

std::string_view to_string(DType type) noexcept;
/// Bytes of one element; 0 for a type that tensors here cannot hold (strings, unknown numbers).
std::size_t element_size(DType type) noexcept;

/// An array in row-major order that never changes once made, so copies share their bytes.
class Tensor {
 public:
  /// An empty float tensor of shape [0].
  Tensor();
  /// @param bytes  element_count(shape) elements, little-endian; copied.
  /// @throws InputError if the size does not fit the shape, or the type has no size.
  Tensor(DType type, Shape shape, std::span<const std::byte> bytes);

  /// The same without a copy of elements of one byte, which then live as long as `owner` does.
  /// Larger ones are copied, for they are aligned.
  Tensor(DType type,
         Shape shape,
         std::span<const std::byte> bytes,
         const std::shared_ptr<const void>& owner);

  static Tensor floats(Shape shape, std::span<const float> values);
  static Tensor int64s(Shape shape, std::span<const std::int64_t> values);
  /// A tensor of shape [] with one value.
  static Tensor scalar(float value);

  DType type() const noexcept { return type_; }
  const Shape& shape() const noexcept { return shape_; }
  std::int64_t size() const noexcept { return element_count(shape_); }
  std::span<const std::byte> bytes() const noexcept;
  /// The same bytes, which stay when the tensor goes.
  Bytes shared_bytes() const noexcept;

  /// The elements, aligned to 64 bytes.
  /// @throws InputError if the type is another one.
  std::span<const float> as_floats() const;
  std::span<const std::int64_t> as_int64s() const;

  /// Equal type, shape and bits.
  friend bool operator==(const Tensor& a, const Tensor& b) noexcept;

 private:
  DType type_;
  Shape shape_;
  std::shared_ptr<const std::byte> data_;
  std::size_t byte_count_ = 0;
};

}  // namespace lastbit
