#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "lastbit/graph/graph.h"
#include "lastbit/runtime/aligned_bytes.h"
#include "lastbit/runtime/kernels/lookup.h"
#include "lastbit/runtime/product_weights.h"

namespace lastbit {

/// Inputs that a table has for these weights: they are low-bit, with levels -a and a, or -a, 0 and
/// a, and a scale for all or one an output. 0 for all others.
std::size_t lookup_inputs(const Initializer& constant, const WeightOrder& order);

/// Whether lookup takes less time than products, for `count` inputs whose tables serve `outputs`
/// outputs in as many windows.
bool lookup_pays(std::size_t count,
                 std::size_t inputs,
                 std::size_t outputs,
                 double windows) noexcept;

/// Constant weights as kernels that look sums up read them.
class LookupWeights {
 public:
  /// @param tensor  weights for which `lookup_inputs` is above 0.
  /// @param order  with inputs in the order of tables, a multiple of what a table has; where there
  ///     is none the input must be 0.
  LookupWeights(const LowBitTensor& tensor, const WeightOrder& order);

  std::size_t outputs() const noexcept { return scales_.size(); }
  std::size_t blocks() const noexcept { return (outputs() + kLookupOutputs - 1) / kLookupOutputs; }
  /// Outputs of a block that exist.
  std::size_t outputs_of(std::size_t block) const noexcept;
  LookupBlock block(std::size_t index) const noexcept;

  /// Factors of the outputs' sums.
  std::span<const float> scales() const noexcept { return scales_; }

  std::size_t bytes() const noexcept { return words_.size() + scales_.size() * sizeof(float); }

 private:
  std::size_t tables_;
  std::vector<float> scales_;
  AlignedBytes words_;  // of all blocks
};

}  // namespace lastbit
