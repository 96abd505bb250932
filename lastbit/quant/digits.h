#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lastbit/quant/codebook.h"

namespace lastbit {

// Packing of codes as digits of base `radix`, the size of the codebook. A byte holds as many digits
// as fit (8 for radix 2, 5 for 3, 4 for 4, 3 for 5 and 6, 2 for 7 to 16, else 1), the first digit
// with place value 1. Digits run on through the whole tensor, row-major, without padding between
// rows; the last byte is filled up with zero digits. docs/format.md is the contract.

/// Digits in a byte; `radix` is 2 to 256.
int digits_per_byte(int radix) noexcept;

/// Bytes that `count` digits take.
std::size_t packed_size(std::size_t count, int radix) noexcept;

/// @param codes  each below `radix`.
std::vector<std::uint8_t> pack(std::span<const Code> codes, int radix);

/// Reads the digits `first`, ..., `first + codes.size() - 1` out of `bytes`. No checks: for bytes
/// that `check_packed` has passed.
void unpack(std::span<const std::uint8_t> bytes,
            int radix,
            std::size_t first,
            std::span<Code> codes) noexcept;

/// @throws FormatError if `bytes` is not a packing of `count` digits: a wrong size, a byte of
///     radix^digits or more, or a last byte whose filling is not zero.
void check_packed(std::span<const std::uint8_t> bytes, int radix, std::size_t count);

}  // namespace lastbit
