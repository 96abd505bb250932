#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lastbit {

/// Where the weights of a product lie in a constant tensor.
struct WeightOrder {
  std::size_t outputs = 0;
  std::size_t first = 0;        ///< Element of the first output.
  std::size_t output_step = 0;  ///< Elements from one output to the next.
  /// Element of each input, counted from that of its output; -1 where there is none. As many as
  /// four times the groups of the product.
  std::vector<std::int64_t> inputs;
  /// The inputs without a weight may be any numbers, so that their weights must be 0; else they are
  /// 0 themselves.
  bool zero_gaps = false;
};

/// What stands in the words of a product for the codes of a tensor.
struct WordFields {
  int bits = 0;                          ///< Of a field: 1, 2, 4 or 8.
  std::uint8_t gap = 0;                  ///< The field of inputs that have no weight.
  const std::uint8_t* values = nullptr;  ///< The field of each code, (256); null: the code itself.
};

/// Fills the words of all blocks (kernels/product.h), blocks of two words each but for their order
/// in the last.
///
/// @param packed  digits of base `radix`, checked.
/// @param words  zeroed: the blocks, each block_bytes(groups, bits, 2) long.
void fill_words(std::span<const std::uint8_t> packed,
                int radix,
                const WeightOrder& order,
                const WordFields& fields,
                std::byte* words);

/// Adds to each output's sum the integer levels of its inputs.
/// @param words  as filled for `sums.size()` outputs; of 8 bits, levels in two's complement.
/// @param levels  of each code, for fewer bits.
void add_level_sums(const std::byte* words,
                    std::size_t groups,
                    int bits,
                    const std::int8_t* levels,
                    std::span<std::int32_t> sums);

}  // namespace lastbit
