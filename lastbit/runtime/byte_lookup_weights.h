#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lastbit/graph/lowbit.h"
#include "lastbit/runtime/aligned_bytes.h"
#include "lastbit/runtime/kernels/byte_lookup.h"
#include "lastbit/runtime/weight_words.h"

namespace lastbit {

/// Binary weights of a convolution as the kernels of lookup in tables of bytes read them: subsets
/// of six bits that lie side by side, one bit a weight.
class ByteLookupWeights {
 public:
  /// @param tensor  [groups * outputs, channels, taps], of levels -a and a, with one scale for all
  /// or one an output.
  /// @param order  outputs of a group and the step from one to the next; nothing else is read.
  /// @param places  of the subset of each table and tap, (byte_tables(channels), taps), a
  /// permutation.
  ByteLookupWeights(const LowBitTensor& tensor,
                    const WeightOrder& order,
                    std::size_t groups,
                    std::size_t channels,
                    std::span<const std::uint32_t> places);

  /// Of a group.
  std::size_t outputs() const noexcept { return outputs_; }
  std::size_t blocks() const noexcept { return (outputs_ + kByteOutputs - 1) / kByteOutputs; }
  /// Calls of a kernel for a block, the turns of one, and those of all.
  std::size_t chunks() const noexcept { return (turns_ + kMostTurns - 1) / kMostTurns; }
  std::size_t turns_of(std::size_t chunk) const noexcept;
  std::size_t turns() const noexcept { return turns_; }
  const std::uint8_t* words(std::size_t group, std::size_t chunk, std::size_t block) const noexcept;

  /// Factors of the sums of all groups' outputs, without `a`.
  const std::vector<float>& scales() const noexcept { return scales_; }
  /// Sums of their weights, as -1 and 1.
  std::span<const std::int32_t> level_sums() const noexcept { return level_sums_; }

  std::size_t bytes() const noexcept {
    return words_.size() + scales_.size() * (sizeof(float) + sizeof(std::int32_t));
  }

 private:
  std::size_t outputs_;
  std::size_t turns_;
  std::vector<float> scales_;
  std::vector<std::int32_t> level_sums_;
  AlignedBytes words_;  // [group][chunk][block][turn][kTurnWords][kByteWords]
};

}  // namespace lastbit
