#include <array>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "lastbit/runtime/kernels/processor.h"
#include "lastbit/runtime/kernels/sets.h"

namespace lastbit {
namespace {

struct Runnable {
  std::array<const KernelSet*, 8> sets{};
  std::size_t count = 0;

  Runnable() noexcept {
#if defined(__x86_64__)
    const Processor processor = this_processor();
    // Intel's processors take three operations for a vpermi2w: products are faster there.
    if (processor.avx512vnni && processor.avx512vbmi2 && processor.amd) {
      sets[count++] = &avx512vbmi2_kernels();
    }
    if (processor.avx512vnni) sets[count++] = &avx512vnni_kernels();
    if (processor.avx512) sets[count++] = &avx512_kernels();
    if (processor.avx2) sets[count++] = &avx2_kernels();
#endif
#if defined(__aarch64__)
    if ((getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0) sets[count++] = &neondot_kernels();
    sets[count++] = &neon_kernels();
#endif
#if defined(__wasm_simd128__)
    sets[count++] = &wasm_kernels();
#endif
    sets[count++] = &baseline_kernels();
    sets[count++] = &shift_kernels();
    sets[count++] = &scalar_kernels();
  }
};

}  // namespace

std::span<const KernelSet* const> runnable_kernels() noexcept {
  static const Runnable runnable;
  return std::span(runnable.sets).first(runnable.count);
}

}  // namespace lastbit
