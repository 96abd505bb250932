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
  /// @param tensor  [outputs, channels, taps], of levels -a and a, for which `scales_outputs`.
  /// @param order  outputs, the first of them and the step; `inputs` is not read.
  /// @param places  of the subset of each table and tap, (byte_tables(channels), taps), a
  /// permutation.
  ByteLookupWeights(const LowBitTensor& tensor,
                    const WeightOrder& order,
                    std::size_t channels,
                    std::span<const std::uint32_t> places);

  std::size_t outputs() const noexcept { return scales_.size(); }
  std::size_t blocks() const noexcept { return (outputs() + kByteOutputs - 1) / kByteOutputs; }
  /// Calls of a kernel for a block, and the turns of one.
  std::size_t chunks() const noexcept { return (turns_ + kMostTurns - 1) / kMostTurns; }
  std::size_t turns_of(std::size_t chunk) const noexcept;
  /// Turns of all chunks.
  std::size_t turns() const noexcept { return turns_; }
  const std::uint8_t* words(std::size_t chunk, std::size_t block) const noexcept;

  /// Factor of an output's sum, without `a`.
  std::span<const float> scales() const noexcept { return scales_; }
  /// Sum of an output's weights, as -1 and 1.
  std::int32_t level_sum(std::size_t output) const noexcept { return level_sums_[output]; }

  std::size_t bytes() const noexcept {
    return words_.size() + outputs() * (sizeof(float) + sizeof(std::int32_t));
  }

 private:
  std::size_t place(std::size_t chunk, std::size_t block) const noexcept;  // in bytes

  std::size_t turns_;
  std::vector<float> scales_;
  std::vector<std::int32_t> level_sums_;
  AlignedBytes words_;  // [chunk][block][turn][kTurnWords][kByteWords]
};

}  // namespace lastbit
