#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace lastbit {

/// Tells bytes that differ by accident, not those that were made to look alike: FNV-1a over 64-bit
/// words, the bytes left over being a last word. The same on machines of one byte order.
std::uint64_t checksum(std::span<const std::byte> bytes) noexcept;

}  // namespace lastbit
