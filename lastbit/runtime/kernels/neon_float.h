#pragma once

#include "lastbit/runtime/kernels/product.h"

namespace lastbit {

/// KernelSet::tile_float and KernelSet::vector_float.
void neon_tile_float(const Tile<float>& tile, const WeightBlock& weights, float* out) noexcept;
void neon_vector_float(const float* x,
                       std::size_t groups,
                       const WeightBlock& weights,
                       std::size_t blocks,
                       float* out) noexcept;

}  // namespace lastbit
