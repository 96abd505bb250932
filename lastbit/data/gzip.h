#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

namespace lastbit {

/// Says from a format's header, whose size is known, how many bytes the whole file should have.
using PromisedSize = std::function<std::uint64_t(std::span<const std::byte> header)>;

/// Reads a whole file, packed by gzip (recognized by its first two bytes) or not.
///
/// No memory is taken for what the header does not promise, nor for a promise that so few packed
/// bytes cannot keep.
/// @param header_size  bytes that `promised` looks at.
/// @throws InputError if the file cannot be read; FormatError if it is empty, cut off, damaged or
///     of another size than its header promises.
std::vector<std::byte> read_unpacked(const std::filesystem::path& path,
                                     std::size_t header_size,
                                     const PromisedSize& promised);

}  // namespace lastbit
