#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/graph/tensor.h"

namespace lastbit {

/// What the header says of one tensor.
struct SafetensorsEntry {
  std::string name;
  DType type = DType::kUndefined;
  Shape shape;
  std::uint64_t begin = 0;  // of its bytes, from the header's end
  std::uint64_t end = 0;    // one past the last
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> tensors;  // as the header lists them
  std::map<std::string, std::string> metadata;
};

/// The name that the format has for an element type; empty for one that it lacks.
std::string_view safetensors_name(DType type) noexcept;

inline constexpr std::string_view kSafetensorsMetadata = "__metadata__";

/// Reads {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...} with a
/// "__metadata__" of texts, or none. The three keys once each, in any order, and nothing else.
/// Offsets are not checked.
/// @throws FormatError
SafetensorsHeader parse_safetensors_header(std::string_view text, const std::string& where);

}  // namespace lastbit
