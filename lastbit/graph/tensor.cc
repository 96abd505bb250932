#include "lastbit/graph/tensor.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

constexpr std::size_t kAlignment = 64;

std::shared_ptr<const std::byte> aligned_copy(std::span<const std::byte> bytes) {
  if (bytes.empty()) return nullptr;
  constexpr std::align_val_t kAlign{kAlignment};
  auto* memory = static_cast<std::byte*>(::operator new(bytes.size(), kAlign));
  std::memcpy(memory, bytes.data(), bytes.size());
  return {memory, [](const std::byte* p) { ::operator delete(const_cast<std::byte*>(p), kAlign); }};
}

void require_type(DType found, DType expected) {
  if (found == expected) return;
  throw InputError(
      cat("[tensor] elements are ", to_string(found), ", expected ", to_string(expected)));
}

}  // namespace

// Unsigned, so that nothing is undefined where a 0 stands beside sizes whose product overflows.
std::int64_t element_count(std::span<const std::int64_t> shape) noexcept {
  std::uint64_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::uint64_t>(size);
  return static_cast<std::int64_t>(count);
}

std::optional<std::int64_t> checked_element_count(std::span<const std::int64_t> shape) noexcept {
  constexpr std::int64_t kMost = std::int64_t{1} << 60;
  std::int64_t product = 1;
  bool empty = false;
  for (const std::int64_t size : shape) {
    if (size < 0) return std::nullopt;
    if (size == 0) {
      empty = true;
    } else if (size > kMost / product) {
      return std::nullopt;
    } else {
      product *= size;
    }
  }
  return empty ? 0 : product;
}

std::string to_string(std::span<const std::int64_t> shape) { return cat("[", join(shape), "]"); }

std::string_view to_string(DType type) noexcept {
  switch (type) {
    case DType::kUndefined:
      return "undefined";
    case DType::kFloat:
      return "float32";
    case DType::kUint8:
      return "uint8";
    case DType::kInt8:
      return "int8";
    case DType::kUint16:
      return "uint16";
    case DType::kInt16:
      return "int16";
    case DType::kInt32:
      return "int32";
    case DType::kInt64:
      return "int64";
    case DType::kString:
      return "string";
    case DType::kBool:
      return "bool";
    case DType::kFloat16:
      return "float16";
    case DType::kDouble:
      return "float64";
    case DType::kUint32:
      return "uint32";
    case DType::kUint64:
      return "uint64";
    case DType::kBfloat16:
      return "bfloat16";
  }
  return "unknown";
}

std::size_t element_size(DType type) noexcept {
  switch (type) {
    case DType::kUint8:
    case DType::kInt8:
    case DType::kBool:
      return 1;
    case DType::kUint16:
    case DType::kInt16:
    case DType::kFloat16:
    case DType::kBfloat16:
      return 2;
    case DType::kFloat:
    case DType::kInt32:
    case DType::kUint32:
      return 4;
    case DType::kInt64:
    case DType::kDouble:
    case DType::kUint64:
      return 8;
    case DType::kUndefined:
    case DType::kString:
      return 0;
  }
  return 0;
}

Tensor::Tensor() : type_(DType::kFloat), shape_{0} {}

Tensor::Tensor(DType type, Shape shape, std::span<const std::byte> bytes)
    : Tensor(type, std::move(shape), bytes, nullptr) {}

Tensor::Tensor(DType type,
               Shape shape,
               std::span<const std::byte> bytes,
               const std::shared_ptr<const void>& owner)
    : type_(type), shape_(std::move(shape)), byte_count_(bytes.size()) {
  const std::size_t size = element_size(type_);
  if (size == 0) {
    throw InputError(cat("[tensor] elements of type ",
                         to_string(type_),
                         " (",
                         static_cast<std::int32_t>(type_),
                         ") cannot be held"));
  }
  const std::optional<std::int64_t> count = checked_element_count(shape_);
  if (!count) {
    throw InputError(
        cat("[tensor] shape ", to_string(shape_), " has a negative size or too many elements"));
  }
  if (bytes.size() / size != static_cast<std::size_t>(*count) || bytes.size() % size != 0) {
    throw InputError(cat("[tensor] shape ",
                         to_string(shape_),
                         " of ",
                         to_string(type_),
                         " takes ",
                         static_cast<std::size_t>(*count) * size,
                         " bytes, got ",
                         bytes.size()));
  }
  data_ = owner != nullptr && size == 1 ? std::shared_ptr<const std::byte>(owner, bytes.data())
                                        : aligned_copy(bytes);
}

Tensor Tensor::floats(Shape shape, std::span<const float> values) {
  return {DType::kFloat, std::move(shape), std::as_bytes(values)};
}

Tensor Tensor::int64s(Shape shape, std::span<const std::int64_t> values) {
  return {DType::kInt64, std::move(shape), std::as_bytes(values)};
}

Tensor Tensor::scalar(float value) { return floats({}, {&value, 1}); }

std::span<const std::byte> Tensor::bytes() const noexcept { return {data_.get(), byte_count_}; }

Bytes Tensor::shared_bytes() const noexcept {
  return {{reinterpret_cast<const std::uint8_t*>(data_.get()), byte_count_}, data_};
}

std::span<const float> Tensor::as_floats() const {
  require_type(type_, DType::kFloat);
  return {reinterpret_cast<const float*>(data_.get()), byte_count_ / sizeof(float)};
}

std::span<const std::int64_t> Tensor::as_int64s() const {
  require_type(type_, DType::kInt64);
  return {reinterpret_cast<const std::int64_t*>(data_.get()), byte_count_ / sizeof(std::int64_t)};
}

bool operator==(const Tensor& a, const Tensor& b) noexcept {
  return a.type_ == b.type_ && a.shape_ == b.shape_ && std::ranges::equal(a.bytes(), b.bytes());
}

}  // namespace lastbit
