#pragma once

namespace lastbit {

/// What an x86 processor has, and the system lets programs use, of that on which kernels depend.
/// GCC's own answer, __builtin_cpu_supports, knows every model by name, which takes 8 kB of the
/// runtime.
struct Processor {
  bool avx2 = false;        ///< with FMA
  bool avx512 = false;      ///< F, DQ and BW
  bool avx512vnni = false;  ///< besides these
  bool avx512vbmi2 = false;
  bool amd = false;
};

Processor this_processor() noexcept;

}  // namespace lastbit
