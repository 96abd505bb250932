#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lastbit/graph/graph.h"
#include "lastbit/runtime/aligned_bytes.h"
#include "lastbit/runtime/kernels/product.h"
#include "lastbit/runtime/weight_words.h"

namespace lastbit {

/// Whether a tensor has one scale for all, or one an output.
bool scales_outputs(const LowBitTensor& tensor, const WeightOrder& order);
/// The scale of an output, if so.
float output_scale(const LowBitTensor& tensor, const WeightOrder& order, std::size_t output);

/// Whether ProductWeights of these have `integers()`.
bool has_integers(const Initializer& constant, const WeightOrder& order);

/// Constant weights as kernels read them: codes in words where they are low-bit, else floats.
class ProductWeights {
 public:
  /// Low-bit tensors whose scale is neither one for all nor one an output are decoded here.
  /// @param for_integers  whether the kernels of integers will read them, if `integers()`.
  ProductWeights(const Initializer& constant, const WeightOrder& order, bool for_integers);

  std::size_t outputs() const noexcept { return scales_.size(); }
  std::size_t groups() const noexcept { return groups_; }
  std::size_t blocks() const noexcept { return (outputs() + kBlockOutputs - 1) / kBlockOutputs; }
  /// Outputs of a block that exist.
  std::size_t outputs_of(std::size_t block) const noexcept;
  WeightBlock block(std::size_t index) const noexcept;

  /// Factor of an output, 1 for floats.
  float scale(std::size_t output) const noexcept { return scales_[output]; }
  /// Those of all outputs, times `alpha`.
  std::vector<float> scales(float alpha) const;

  /// The weights have integer levels, and no sum of their products with 8-bit inputs overflows.
  bool integers() const noexcept { return integers_; }
  /// What an integer level of 1 stands for, before the scale.
  float unit() const noexcept { return unit_; }
  /// Sum of an output's integer levels; for weights that kernels of integers read.
  std::int32_t level_sum(std::size_t output) const noexcept { return sums_[output]; }
  std::span<const std::int32_t> level_sums() const noexcept { return sums_; }
  /// The integer levels in the order of codes.
  const std::int8_t* levels() const noexcept { return levels_.data(); }
  int bits() const noexcept { return bits_; }
  /// Codes that stand for a level; fields may hold more.
  int codes() const noexcept { return codes_; }

  std::size_t bytes() const noexcept;

 private:
  void keep_floats(const Tensor& tensor, const WeightOrder& order);
  void keep_codes(const LowBitTensor& tensor,
                  std::vector<float> levels,
                  const WeightOrder& order,
                  bool for_integers);
  void take_integers(const std::vector<float>& levels);
  std::size_t block_stride() const noexcept;  // bytes
  int width_of(std::size_t block) const noexcept;

  std::size_t groups_;
  int bits_ = 0;  // of a code; 0 for floats
  int codes_ = 0;
  std::vector<float> scales_;
  AlignedBytes words_;        // of all blocks: codes, or floats
  std::vector<float> table_;  // of WeightBlock
  std::vector<std::int8_t> levels_;
  int largest_ = 0;
  bool integers_ = false;
  float unit_ = 1.0F;
  std::vector<std::int32_t> sums_;  // (outputs)
};

}  // namespace lastbit
