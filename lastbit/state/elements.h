#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lastbit/graph/tensor.h"

namespace lastbit {

/// Elements of a file as float32: those of float16 and bfloat16 exactly, those of float64 rounded
/// to nearest.
/// @param bytes  row-major but for the strides (in elements, from `offset`), which must not reach
///     beyond them.
/// @param where  begins the messages and names the tensor.
/// @throws FormatError for other element types, and for a number that is not finite or that float32
///     cannot hold, with its index.
std::vector<float> to_floats(std::span<const std::byte> bytes,
                             DType type,
                             std::span<const std::int64_t> shape,
                             std::span<const std::int64_t> strides,
                             std::int64_t offset,
                             const std::string& where);

}  // namespace lastbit
