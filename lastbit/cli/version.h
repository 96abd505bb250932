#pragma once

#include <string>
#include <string_view>

namespace lastbit {

/// "0.1.0"
std::string_view version() noexcept;

/// Compiler, build type and processor features, one "key: value" a line.
std::string build_facts();

}  // namespace lastbit
