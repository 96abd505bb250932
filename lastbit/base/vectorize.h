#pragma once

/// Compiles a plain loop once for each listed instruction set, the best of which is chosen when the
/// program starts; elsewhere it is compiled for the target at hand. Only for elementwise loops,
/// whose results do not depend on the width, contraction of a*b+c aside. A sanitizer's run-time is
/// not ready when such choices are made, so builds with one do without.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define LASTBIT_VECTORIZE \
  [[gnu::target_clones("arch=x86-64-v4", "avx2", "default"), gnu::optimize("O3")]]
#else
#define LASTBIT_VECTORIZE
#endif
