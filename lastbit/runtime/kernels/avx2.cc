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

struct Levels {
  __m256 low;
  __m256 high;
};

inline Levels load_levels(const float* table) noexcept {
  return {_mm256_loadu_ps(table), _mm256_loadu_ps(table + kLanes)};
}

// One field a lane, each moved to the lowest bits: a permutation looks at the lowest three alone.
template <int Bits>
inline void decode_half(const std::uint8_t* codes, Levels levels, float* out) noexcept {
  std::uint32_t all = 0;
  __builtin_memcpy(&all, codes, Bits);
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i fields = _mm256_srlv_epi32(_mm256_set1_epi32(static_cast<int>(all)),
                                           _mm256_mullo_epi32(lane, _mm256_set1_epi32(Bits)));
  __m256 v = _mm256_permutevar8x32_ps(levels.low, fields);
  if constexpr (Bits == 4) {
    const __m256 above = _mm256_permutevar8x32_ps(levels.high, fields);
    v = _mm256_blendv_ps(v, above, _mm256_castsi256_ps(_mm256_slli_epi32(fields, 28)));
  }
  _mm256_storeu_ps(out, v);
}

template <int Bits>
inline void decode_block(const std::uint8_t* codes, Levels levels, float* out) noexcept {
  decode_half<Bits>(codes, levels, out);
  decode_half<Bits>(codes + Bits, levels, out + kLanes);
}

#include "lastbit/runtime/kernels/vector_body.h"

}  // namespace

const KernelSet& avx2_kernels() noexcept {
  static constexpr KernelSet kSet = {"avx2", dot, panel, decode_codes, activate};
  return kSet;
}

}  // namespace lastbit
