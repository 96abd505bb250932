#pragma once

#include "lastbit/runtime/kernels/kernel_set.h"

// The sets of this folder, each in a file of its own. Callers ask `runnable_kernels`.

namespace lastbit {

/// Vectors of four floats, which every processor in use has.
const KernelSet& baseline_kernels() noexcept;

/// The types of parts of KernelSet.
using TileInt8 = void(const Tile<std::uint8_t>&, const WeightBlock&, std::int32_t*) noexcept;
using VectorInt8 = void(const std::int8_t*,
                        std::size_t,
                        const WeightBlock&,
                        std::size_t,
                        const std::uint8_t*,
                        std::int32_t*) noexcept;
using VectorFloat =
    void(const float*, std::size_t, const WeightBlock&, std::size_t, float*) noexcept;
using MakeTables = void(const TableRequest&) noexcept;
using LookUpVector = void(const float*, std::size_t, const std::uint8_t*, float*) noexcept;
using LookUp = void(const Tile<float>&, const LookupBlock&, float*) noexcept;

/// Integer products by additions and shifts alone; else as the baseline.
const KernelSet& shift_kernels() noexcept;

#if defined(__x86_64__)
/// AVX2 with FMA.
const KernelSet& avx2_kernels() noexcept;
/// AVX-512 F, DQ and BW.
const KernelSet& avx512_kernels() noexcept;
/// The same with VNNI.
const KernelSet& avx512vnni_kernels() noexcept;
/// The same with VBMI2, where vpermi2w is one operation: binary weights by lookup.
const KernelSet& avx512vbmi2_kernels() noexcept;

// Parts of sets, each in a file of its own.
TileInt8 avx2_tile_int8;
VectorInt8 avx2_vector_int8;
VectorInt8 avx512vnni_vector;
/// For words of codes of 1 or 2 bits alone.
VectorFloat avx512_few_bits;
MakeTables avx512_make_tables;
LookUp avx512_look_up;
LookUpVector avx512_look_up_vector;
#endif

#if defined(__aarch64__)
/// NEON, which every 64-bit processor of Arm has.
const KernelSet& neon_kernels() noexcept;
/// NEON with dot products (Armv8.2).
const KernelSet& neondot_kernels() noexcept;
#endif

#if defined(__wasm_simd128__)
/// WebAssembly with vectors of 128 bits.
const KernelSet& wasm_kernels() noexcept;
#endif

}  // namespace lastbit
