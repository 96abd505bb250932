#include "lastbit/state/elements.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are copied as they are");

template <typename Number>
Number load(const std::byte* bytes) noexcept {
  Number value;
  std::memcpy(&value, bytes, sizeof(Number));
  return value;
}

// IEEE 754 binary16: a sign, five bits of exponent of bias 15, ten of fraction.
float from_half(std::uint16_t bits) noexcept {
  const int exponent = bits >> 10U & 0x1f;
  const int fraction = bits & 0x3ff;
  float size = 0.0F;
  if (exponent == 0) {
    size = std::ldexp(static_cast<float>(fraction), -24);
  } else if (exponent == 0x1f) {
    size = fraction == 0 ? INFINITY : NAN;
  } else {
    size = std::ldexp(static_cast<float>(fraction + 0x400), exponent - 25);
  }
  return (bits & 0x8000U) != 0 ? -size : size;
}

float element(const std::byte* bytes, DType type) noexcept {
  switch (type) {
    case DType::kFloat16:
      return from_half(load<std::uint16_t>(bytes));
    case DType::kBfloat16:
      return std::bit_cast<float>(std::uint32_t{load<std::uint16_t>(bytes)} << 16U);
    case DType::kDouble:
      return static_cast<float>(load<double>(bytes));
    default:
      return load<float>(bytes);
  }
}

}  // namespace

std::vector<float> to_floats(std::span<const std::byte> bytes,
                             DType type,
                             std::span<const std::int64_t> shape,
                             std::span<const std::int64_t> strides,
                             std::int64_t offset,
                             const std::string& where) {
  if (type != DType::kFloat && type != DType::kFloat16 && type != DType::kBfloat16 &&
      type != DType::kDouble) {
    throw FormatError(cat(where,
                          " has elements of type ",
                          to_string(type),
                          ", expected float32, float16, bfloat16 or float64"));
  }
  const auto size = static_cast<std::int64_t>(element_size(type));
  std::vector<float> result(static_cast<std::size_t>(element_count(shape)));
  std::vector<std::int64_t> index(shape.size(), 0);
  std::int64_t at = offset;
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i] = element(bytes.data() + at * size, type);
    if (!std::isfinite(result[i])) {
      throw FormatError(cat(where,
                            " has at ",
                            to_string(index),
                            " the value ",
                            result[i],
                            " as float32, expected finite numbers"));
    }
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return result;
}

}  // namespace lastbit
