#include <cstdint>
#include <immintrin.h>

#include "lastbit/runtime/kernels/sets.h"

#pragma GCC target("avx2,fma")

namespace lastbit {
namespace {

constexpr std::size_t kLanes = 8;
using Vec = float __attribute__((vector_size(kLanes * sizeof(float))));
using IntVec = std::int32_t __attribute__((vector_size(kLanes * sizeof(float))));
// Tiles that fill the registers without spilling.
constexpr std::size_t kDotColumns = 2;
constexpr std::size_t kDotTile = 4;
constexpr std::size_t kPanelVectors = 2;

inline __m256i mask_of(std::size_t count) noexcept {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lane);
}

inline Vec load_part(const float* from, std::size_t count) noexcept {
  return _mm256_maskload_ps(from, mask_of(count));
}

inline void store_part(float* to, Vec v, std::size_t count) noexcept {
  _mm256_maskstore_ps(to, mask_of(count), v);
}

#include "lastbit/runtime/kernels/vector_body.h"

}  // namespace

const KernelSet& avx2_kernels() noexcept {
  static constexpr KernelSet kSet = {"avx2", dot, panel, decode_digits, activate};
  return kSet;
}

}  // namespace lastbit
