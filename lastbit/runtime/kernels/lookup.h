#pragma once

#include <cstddef>
#include <cstdint>

#include "lastbit/runtime/kernels/product.h"

namespace lastbit {

// Products of floats and weights of two or three levels, by lookup. What a few neighbouring inputs
// come to with all signs is summed once and kept as a *table*, which serves all outputs, and all
// windows that the inputs are part of. A code of five bits says which sum of the table an output
// takes, and whether it is negated: of a sum and its negative only one is kept.

/// Sums of a table.
inline constexpr std::size_t kTableSums = 16;
/// Codes in a lane of 32 bits, and the bits of a code.
inline constexpr std::size_t kLaneCodes = 6;
inline constexpr unsigned kCodeBits = 5;
inline constexpr std::uint32_t kNegated = 16;
/// Words side by side in a block of codes at most, and the results of a tile.
inline constexpr std::size_t kLookupWords = 4;
inline constexpr std::size_t kLookupOutputs = kLookupWords * kWordOutputs;
inline constexpr std::size_t kLookupRows = 4;
/// Blocks that a kernel of vectors takes at once.
inline constexpr std::size_t kVectorBlocks = 2;

/// Inputs that share a table: of weights -1, 0 and 1, or of weights -1 and 1.
inline constexpr std::size_t kTernaryInputs = 3;
inline constexpr std::size_t kBinaryInputs = 5;

/// The weight of input `j` in sum `i` of a table. Sums beyond 13 of three inputs are of no meaning.
constexpr int table_weight(std::size_t inputs, std::size_t i, std::size_t j) noexcept {
  if (inputs == kBinaryInputs) {
    return j == kBinaryInputs - 1 || (i >> j & 1U) != 0 ? 1 : -1;
  }
  // The digits of i to the base of three, of -1, 0 and 1.
  std::size_t rest = i;
  for (std::size_t digit = 0; digit < j; ++digit) rest = (rest + 1) / 3;
  return static_cast<int>((rest + 1) % 3) - 1;
}

/// Makes tables[pixel][table][i] = sum over j of table_weight(i, j) * x[pixel * stride + table *
/// inputs + j], j in order; inputs beyond the pixel's `count` are 0.
struct TableRequest {
  const float* x = nullptr;
  std::size_t pixels = 0;
  std::size_t stride = 0;   ///< Floats from one pixel to the next.
  std::size_t count = 0;    ///< Inputs of a pixel.
  std::size_t inputs = 0;   ///< Of a table: kTernaryInputs or kBinaryInputs.
  float* tables = nullptr;  ///< Aligned to kWordBytes.
};

/// Tables of so many inputs.
constexpr std::size_t tables_of(std::size_t count, std::size_t inputs) noexcept {
  return (count + inputs - 1) / inputs;
}

/// Codes of up to kLookupOutputs neighbouring outputs, in words of 64 bytes.
///
/// A lane of a word holds the codes of one output for kLaneCodes successive tables, the first in
/// the lowest bits. The lowest four bits of a code are the sum, and kNegated is set where it is
/// negated. With a width above 1 each word is followed by those of the next outputs for the
/// same tables.
struct LookupBlock {
  const std::uint8_t* words = nullptr;  ///< Aligned to kWordBytes.
  std::size_t width = 0;                ///< Words side by side, 1 to kLookupWords.
};

/// Bytes of a block of codes for so many tables.
constexpr std::size_t lookup_bytes(std::size_t tables, std::size_t width) noexcept {
  return (tables + kLaneCodes - 1) / kLaneCodes * width * kWordBytes;
}

}  // namespace lastbit
