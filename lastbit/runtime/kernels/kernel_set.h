#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lastbit/runtime/kernels/byte_lookup.h"
#include "lastbit/runtime/kernels/lookup.h"
#include "lastbit/runtime/kernels/product.h"

namespace lastbit {

/// Groups of four inputs that `vector_int8` takes at most, lest its sums overflow.
inline constexpr std::size_t kVectorGroups = std::size_t{1} << 15U;

/// The inner loops for one instruction set.
///
/// Each result element is summed in one order, whatever the number of rows and columns in a call,
/// so results do not depend on how work is divided. Two sets may differ in the last bits: they sum
/// in different orders, and some fuse a product and a sum.
struct KernelSet {
  const char* name;

  /// Applies `activation` in place.
  void (*activate)(Activation activation, float* values, std::size_t count) noexcept;

  /// out[r * 16 * width + o] = sum over k of level(o, k) * input(r, k), exactly, where the sum of
  /// magnitudes stays below 2^31. Equal in every set.
  void (*tile_int8)(const Tile<std::uint8_t>& tile,
                    const WeightBlock& weights,
                    std::int32_t* out) noexcept;

  /// The same of floats, k in order for each result.
  void (*tile_float)(const Tile<float>& tile, const WeightBlock& weights, float* out) noexcept;

  /// out[b * 16 * width + o] = sum over k of value(b, o, k) * x[k], exactly, for one result and
  /// `blocks` blocks that follow each other. The value of a code is values[code], and the code
  /// itself where that is null.
  /// @param x  (4 * groups). @param groups  at most kVectorGroups. @param weights  the first block;
  /// its levels and table are not read.
  /// @param values  (16), or null; 8 bits are not for this kernel. Equal in every set.
  void (*vector_int8)(const std::int8_t* x,
                      std::size_t groups,
                      const WeightBlock& weights,
                      std::size_t blocks,
                      const std::uint8_t* values,
                      std::int32_t* out) noexcept;

  /// out[b * 16 * width + o] = sum over k of level(b, o, k) * x[k]. The order of the sums is one
  /// for any number of blocks.
  void (*vector_float)(const float* x,
                       std::size_t groups,
                       const WeightBlock& weights,
                       std::size_t blocks,
                       float* out) noexcept;

  /// Makes tables for `look_up`. Null, as `look_up` then, in sets that are faster with products.
  void (*make_tables)(const TableRequest& request) noexcept = nullptr;

  /// out[r * 16 * width + o] = sum over k of what the code (o, k) takes of the table that begins at
  /// rows[r] + offsets[k], k in order; `groups` counts tables, and there are up to kLookupRows
  /// rows.
  void (*look_up)(const Tile<float>& tile,
                  const LookupBlock& weights,
                  float* out) noexcept = nullptr;

  /// The same for one row, whose tables follow each other, and kVectorBlocks blocks of
  /// kLookupWords words that follow each other. Null as `make_tables` is.
  void (*look_up_vector)(const float* tables,
                         std::size_t count,
                         const std::uint8_t* words,
                         float* out) noexcept = nullptr;

  /// Makes tables for `look_up_bytes`. Null, as that then, in sets that are faster with products.
  void (*make_byte_tables)(const ByteTableRequest& request) noexcept = nullptr;

  /// out[r * stride + o] += twice what the subset (o, k) of a block is in the table that begins at
  /// rows[r] + offsets[k], summed over k, exactly but for multiples of 2^32.
  /// @param tile  up to kByteRows rows; `groups` counts tables, whole turns and kMostTurns at most.
  /// @param words  of the turns of one block, [turn][kTurnWords][kByteWords], aligned: the bits of
  /// an output's lane of the kTurnWords rows, joined, are its subsets, the first in the lowest.
  /// @param starts  what the sums of a row start from, (rows); null: what is in `out`.
  void (*look_up_bytes)(const Tile<std::uint16_t>& tile,
                        const std::uint8_t* words,
                        const std::int32_t* starts,
                        std::size_t stride,
                        std::int32_t* out) noexcept = nullptr;

  /// `finish` with sums of floats, which may lie where `out` lies.
  void (*finish_float)(const float* sums, const Finish& finish) noexcept;

  /// `finish` where sum = sums - offsets[o], and scale is input_scale * scale[o].
  /// @param offsets  (outputs); null for zeros.
  void (*finish_int8)(const std::int32_t* sums,
                      const std::int32_t* offsets,
                      float input_scale,
                      const Finish& finish) noexcept;

  /// out[r * stride + c] = activation(sum + bias[c] + residual[r * stride + c]) for `count` results
  /// and `outputs` channels, of which there may be any number. The scale is not read, and the
  /// residual may not be `out`.
  void (*filter)(const ChannelFilter<float>& filter, const Finish& finish) noexcept;

  /// The same of bytes, which stand for 0 to 255.
  void (*filter_bytes)(const ChannelFilter<std::uint8_t>& filter, const Finish& finish) noexcept;

  /// out[r * channels + c] = the largest of window.inputs[t][r * step + c] over the taps, of which
  /// there is one at least. What is not a number may be left out.
  void (*largest)(const ChannelWindow& window,
                  std::size_t count,
                  std::size_t channels,
                  float* out) noexcept;

  /// Least and largest of 1 or more values; those that are NaN may be left out.
  Range (*range)(const float* values, std::size_t count) noexcept;

  /// The integers of values. Those of NaN are of no meaning. Equal in every set.
  void (*quantize)(const float* values,
                   std::size_t count,
                   Quantization quantization,
                   std::uint8_t* out) noexcept;
};

/// Plain loops in the order of the formulas: the definition of every kernel.
const KernelSet& scalar_kernels() noexcept;

/// The sets that this processor can run, the fastest first and the scalar one last.
std::span<const KernelSet* const> runnable_kernels() noexcept;

}  // namespace lastbit
