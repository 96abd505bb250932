#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lastbit {

/// What the dictionary of an npy header says.
struct NpyHeader {
  std::string dtype;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

/// Reads a dictionary such as {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }: the
/// three keys once each, in any order, and nothing else.
/// @throws FormatError with the place in the text.
NpyHeader parse_npy_header(std::string_view text, const std::string& where);

}  // namespace lastbit
