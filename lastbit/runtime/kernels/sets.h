#pragma once

#include "lastbit/runtime/kernels/kernel_set.h"

// The sets of this folder, each in a file of its own. Callers ask `runnable_kernels`.

namespace lastbit {

/// Vectors of four floats, which every processor in use has.
const KernelSet& baseline_kernels() noexcept;

/// KernelSet::vector_int8 and vector_float.
using VectorInt8 = void(const std::int8_t*,
                        std::size_t,
                        const WeightBlock&,
                        std::size_t,
                        const std::uint8_t*,
                        std::int32_t*) noexcept;
using VectorFloat =
    void(const float*, std::size_t, const WeightBlock&, std::size_t, float*) noexcept;

// Parts of sets, each in the file <name>_product.cc or _int8.cc.
void set_baseline_products(KernelSet& set) noexcept;

#if defined(__x86_64__)
/// AVX2 with FMA.
const KernelSet& avx2_kernels() noexcept;
/// AVX-512 F, DQ and BW.
const KernelSet& avx512_kernels() noexcept;
/// The same with VNNI.
const KernelSet& avx512vnni_kernels() noexcept;

void set_avx2_products(KernelSet& set) noexcept;
void set_avx2_int8(KernelSet& set) noexcept;
void set_avx512_products(KernelSet& set) noexcept;
VectorInt8 avx512vnni_vector;
/// For words of codes of 1 or 2 bits alone.
VectorFloat avx512_few_bits;
#endif

}  // namespace lastbit
