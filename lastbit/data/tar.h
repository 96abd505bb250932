#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lastbit {

/// Reads the files called `names`, whatever folder they are in, from a tar archive packed by gzip.
///
/// Header blocks of 512 bytes (POSIX ustar); entries that are not asked for are skipped.
/// @return by name; a file that the archive lacks is missing.
/// @throws InputError if the archive cannot be read; FormatError if it is damaged or cut off, or if
///     an entry promises more bytes than so few packed ones can keep.
std::map<std::string, std::vector<std::byte>, std::less<>> read_tar_gz(
    const std::filesystem::path& path, std::span<const std::string_view> names);

}  // namespace lastbit
