#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace lastbit {

/// SHA-256 (FIPS 180-4) as 64 lower-case hexadecimal digits.
std::string sha256(std::span<const std::byte> bytes);

/// @throws InputError if the file cannot be read.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace lastbit
