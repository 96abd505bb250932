#pragma once

// What the benchmarks of kernels share: the limit of the processor and how a kernel is timed beside
// it.

#include <algorithm>
#include <ctime>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <string>

#include <benchmark/benchmark.h>

#include "lastbit/base/random.h"

namespace lastbit {

inline double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// A loop of twelve independent instructions, and the operations in a turn of it.
struct Limit {
  void (*run)(std::size_t turns) = nullptr;
  double operations = 0;
};

#if defined(__x86_64__)
#define LASTBIT_LIMIT(function, instruction, reg)                                          \
  inline void function(std::size_t turns) {                                                \
    asm volatile(                                                                          \
        "vpxor %%xmm12, %%xmm12, %%xmm12\n vpxor %%xmm13, %%xmm13, %%xmm13\n"              \
        "1:\n" instruction " %%" reg "12, %%" reg "13, %%" reg "0\n" instruction " %%" reg \
        "12, %%" reg "13, %%" reg "1\n" instruction " %%" reg "12, %%" reg "13, %%" reg    \
        "2\n" instruction " %%" reg "12, %%" reg "13, %%" reg "3\n" instruction " %%" reg  \
        "12, %%" reg "13, %%" reg "4\n" instruction " %%" reg "12, %%" reg "13, %%" reg    \
        "5\n" instruction " %%" reg "12, %%" reg "13, %%" reg "6\n" instruction " %%" reg  \
        "12, %%" reg "13, %%" reg "7\n" instruction " %%" reg "12, %%" reg "13, %%" reg    \
        "8\n" instruction " %%" reg "12, %%" reg "13, %%" reg "9\n" instruction " %%" reg  \
        "12, %%" reg "13, %%" reg "10\n" instruction " %%" reg "12, %%" reg "13, %%" reg   \
        "11\n"                                                                             \
        "dec %0\n jnz 1b\n vzeroupper\n"                                                   \
        : "+r"(turns)                                                                      \
        :                                                                                  \
        : "xmm0",                                                                          \
          "xmm1",                                                                          \
          "xmm2",                                                                          \
          "xmm3",                                                                          \
          "xmm4",                                                                          \
          "xmm5",                                                                          \
          "xmm6",                                                                          \
          "xmm7",                                                                          \
          "xmm8",                                                                          \
          "xmm9",                                                                          \
          "xmm10",                                                                         \
          "xmm11",                                                                         \
          "xmm12",                                                                         \
          "xmm13",                                                                         \
          "cc");                                                                           \
  }
LASTBIT_LIMIT(fma_512, "vfmadd231ps", "zmm")
LASTBIT_LIMIT(fma_256, "vfmadd231ps", "ymm")
LASTBIT_LIMIT(vnni_512, "vpdpbusd", "zmm")
LASTBIT_LIMIT(vnni_256, "%{vex%} vpdpbusd", "ymm")
LASTBIT_LIMIT(maddubs_256, "vpmaddubsw", "ymm")
#undef LASTBIT_LIMIT

inline Limit float_limit(const std::string& set) {
  if (set.starts_with("avx512")) return {fma_512, 12 * 32};
  if (set.starts_with("avx2")) return {fma_256, 12 * 16};
  return {};
}

inline Limit int8_limit(const std::string& set) {
  if (set == "avx512vnni" || set == "avx512vbmi2") return {vnni_512, 12 * 128};
  if (set == "avx2vnni") return {vnni_256, 12 * 64};
  if (set.starts_with("avx")) return {maddubs_256, 12 * 64};
  return {};
}
#else
inline Limit float_limit(const std::string&) { return {}; }
inline Limit int8_limit(const std::string&) { return {}; }
#endif

constexpr std::size_t kPage = 4096;

struct PageDelete {
  void operator()(std::uint8_t* bytes) const {
    ::operator delete[](bytes, std::align_val_t{kPage});
  }
};
using Pages = std::unique_ptr<std::uint8_t[], PageDelete>;

inline Pages random_pages(std::size_t bytes) {
  Random random(1);
  Pages pages(static_cast<std::uint8_t*>(::operator new[](bytes, std::align_val_t{kPage})));
  // The same four megabytes again and again: random numbers take longer than what is measured.
  constexpr std::size_t kRandom = std::size_t{1} << 22U;
  for (std::size_t i = 0; i < bytes; ++i) {
    pages[i] = i < kRandom ? static_cast<std::uint8_t>(random.below(256)) : pages[i - kRandom];
  }
  return pages;
}

// Times `kernel` and the limit by turns.
inline void measure(benchmark::State& state,
                    Limit limit,
                    double operations,
                    double bytes,
                    const std::function<void()>& kernel) {
  const auto repeat = static_cast<std::size_t>(std::max(1.0, 2e7 / operations));
  double best = std::numeric_limits<double>::infinity();
  double best_limit = best;
  while (state.KeepRunning()) {
    const double start = thread_seconds();
    for (std::size_t i = 0; i < repeat; ++i) kernel();
    const double seconds = (thread_seconds() - start) / static_cast<double>(repeat);
    state.SetIterationTime(seconds);
    best = std::min(best, seconds);
    if (limit.run == nullptr) continue;
    constexpr std::size_t kTurns = 20'000;
    const double limit_start = thread_seconds();
    limit.run(kTurns);
    best_limit = std::min(best_limit, (thread_seconds() - limit_start) / kTurns);
  }
  state.counters["us"] = best * 1e6;
  state.counters["GOP/s"] = operations / best / 1e9;
  state.counters["GB/s"] = bytes / best / 1e9;
  if (limit.run == nullptr) return;
  state.counters["limit"] = limit.operations / best_limit / 1e9;
  state.counters["share"] = operations / best / (limit.operations / best_limit);
}

inline void declare(const std::string& name, std::function<void(benchmark::State&)> run) {
  benchmark::RegisterBenchmark(name.c_str(), std::move(run))
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond)
      ->Iterations(400);
}

}  // namespace lastbit
