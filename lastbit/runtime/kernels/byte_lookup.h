#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "lastbit/runtime/kernels/product.h"

namespace lastbit {

// Products of bytes and binary weights by lookup. A *table* holds the sums of all subsets of a few
// neighbouring inputs; it serves all outputs, and all windows that the inputs are part of. Which
// subset has the weight 1 is a number of as many bits, which is what is stored. With weights of -1
// for the others, the product is twice the sum that is found less the sum of all inputs.

/// Inputs that share a table, and its sums: sum `i` is that of the inputs `j` whose bit 1 << j is
/// set in `i`.
inline constexpr std::size_t kSubsetInputs = 6;
inline constexpr std::size_t kSubsetSums = std::size_t{1} << kSubsetInputs;
/// Successive tables whose subsets lie together in three rows of words, and their words.
inline constexpr std::size_t kTurnTables = 8;
inline constexpr std::size_t kTurnWords = kTurnTables * kSubsetInputs / 16;
/// Outputs of a block, of which a word of 64 bytes holds 32.
inline constexpr std::size_t kByteOutputs = 128;
inline constexpr std::size_t kByteWords = kByteOutputs / 32;
/// Bytes of a turn of a block.
inline constexpr std::size_t kTurnBytes = kTurnWords * kByteWords * kWordBytes;
/// Results of a tile at most.
inline constexpr std::size_t kByteRows = 4;
/// Turns of a call at most: a sum of so many bytes fits 16 bits, even if all are 255.
inline constexpr std::size_t kMostTurns = 5;
static_assert(kMostTurns * kTurnTables * kSubsetInputs * 255 <=
              std::numeric_limits<std::uint16_t>::max());

/// Tables of so many neighbouring inputs.
constexpr std::size_t byte_tables(std::size_t count) noexcept {
  return (count + kSubsetInputs - 1) / kSubsetInputs;
}

/// Place of an output's subsets in the rows of a turn, in units of 16 bits. A lane of 32 bits
/// holds an output and that 16 further on, so that halves of lanes are neighbouring outputs.
constexpr std::size_t byte_lane(std::size_t output) noexcept {
  return output / 32 * 32 + output % 16 * 2 + output / 16 % 2;
}

/// Makes tables[pixel][table][i] of the inputs x[pixel * stride + table * kSubsetInputs + j], where
/// those beyond the pixel's `count` are 0, and sums[pixel] of all.
struct ByteTableRequest {
  const std::uint8_t* x = nullptr;
  std::size_t pixels = 0;
  std::size_t stride = 0;           ///< Bytes from one pixel to the next.
  std::size_t count = 0;            ///< Inputs of a pixel.
  std::uint16_t* tables = nullptr;  ///< Aligned to kWordBytes.
  std::int32_t* sums = nullptr;     ///< (pixels)
};

}  // namespace lastbit
