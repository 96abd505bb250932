#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace lastbit {

/// JSON in one line that ends in a line break. Bytes that are not UTF-8, which file names may hold,
/// become U+FFFD.
std::string json_line(const nlohmann::ordered_json& value);

}  // namespace lastbit
