#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lastbit {

/// An array in the memory of an npy file.
struct NpyArray {
  std::string dtype;  ///< As in the file: "|u1", "<f4", ...
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;  ///< Row-major, as many bytes as dtype and shape ask for.
};

/// Reads an npy file, versions 1 to 3 (NumPy enhancement proposal 1).
///
/// @param bytes  the whole file; outlives the result.
/// @param where  names the file in messages.
/// @throws FormatError if the header is not as specified, if the order is Fortran's or big-endian,
///     if the element type is not b1, u1 to u8, i1 to i8, f4 or f8, or if the data have another
///     size.
NpyArray parse_npy(std::span<const std::byte> bytes, const std::string& where);

/// Numbers as floats: f4 and f8, rounded to nearest.
/// @throws FormatError naming the dtype for all others.
std::vector<float> npy_floats(const NpyArray& array, const std::string& where);

/// Any integers, or truth values as 0 and 1.
/// @throws FormatError naming the dtype for floats; the index and value that do not fit 32 bits.
std::vector<std::int32_t> npy_integers(const NpyArray& array, const std::string& where);

/// Writes `<f4`, row-major, version 1.
/// @param shape  positive or empty; its product is `values.size()`, else InputError.
/// @throws InputError as `write_file` does.
void write_npy(const std::filesystem::path& path,
               std::span<const std::int64_t> shape,
               std::span<const float> values);

}  // namespace lastbit
