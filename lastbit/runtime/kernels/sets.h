#pragma once

#include "lastbit/runtime/kernels/kernel_set.h"

// The sets of this folder, each in a file of its own. Callers ask `runnable_kernels`.

namespace lastbit {

/// Vectors of four floats, which every processor in use has.
const KernelSet& baseline_kernels() noexcept;

/// Integer products by additions and shifts alone; else as the baseline.
const KernelSet& shift_kernels() noexcept;

#if defined(__x86_64__)
/// AVX2 with FMA.
const KernelSet& avx2_kernels() noexcept;
/// AVX-512 F, DQ and BW.
const KernelSet& avx512_kernels() noexcept;
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
