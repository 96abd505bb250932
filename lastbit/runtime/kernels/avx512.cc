#include <cstdint>
#include <immintrin.h>

#include "lastbit/runtime/kernels/sets.h"

#pragma GCC target("avx512f,avx512dq,avx2,fma")

namespace lastbit {
namespace {

constexpr std::size_t kLanes = 16;
using Vec = float __attribute__((vector_size(kLanes * sizeof(float))));
using IntVec = std::int32_t __attribute__((vector_size(kLanes * sizeof(float))));
// Tiles that fill the registers without spilling.
constexpr std::size_t kDotColumns = 3;
constexpr std::size_t kDotTile = 8;
constexpr std::size_t kPanelVectors = 4;

inline __mmask16 mask_of(std::size_t count) noexcept {
  return static_cast<__mmask16>((1U << count) - 1U);
}

inline Vec load_part(const float* from, std::size_t count) noexcept {
  return _mm512_maskz_loadu_ps(mask_of(count), from);
}

inline void store_part(float* to, Vec v, std::size_t count) noexcept {
  _mm512_mask_storeu_ps(to, mask_of(count), v);
}

#include "lastbit/runtime/kernels/vector_body.h"

}  // namespace

const KernelSet& avx512_kernels() noexcept {
  static constexpr KernelSet kSet = {"avx512", dot, panel, decode_digits, activate};
  return kSet;
}

}  // namespace lastbit
