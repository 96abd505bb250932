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

inline Vec multiply_add(Vec a, Vec b, Vec c) noexcept { return _mm256_fmadd_ps(a, b, c); }

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

// The word repeated; a narrow one fills 32 bits with copies.
template <int Bits>
inline __m256i splat_fields(const std::uint8_t* from) noexcept {
  if constexpr (Bits == 1) return _mm256_set1_epi8(static_cast<char>(*from));
  if constexpr (Bits == 2) {
    std::int16_t two;
    __builtin_memcpy(&two, from, sizeof(two));
    return _mm256_set1_epi16(two);
  } else {
    std::int32_t four;
    __builtin_memcpy(&four, from, sizeof(four));
    return _mm256_set1_epi32(four);
  }
}

// One field a lane, each moved to the lowest bits: a permutation looks at the lowest three alone,
// and a fourth chooses between two.
template <int Bits>
inline Vec look_up(const std::uint8_t* fields, std::size_t k, Levels levels) noexcept {
  constexpr IntVec kLane = {0, 1, 2, 3, 4, 5, 6, 7};
  const __m256i words = splat_fields<Bits>(fields + k / 8 * Bits);
  const __m256i moved = _mm256_srlv_epi32(words, reinterpret_cast<__m256i>(kLane * Bits));
  const __m256 low = _mm256_permutevar8x32_ps(levels.low, moved);
  if constexpr (Bits < 4) return low;
  const __m256 high = _mm256_permutevar8x32_ps(levels.high, moved);
  return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(moved, 28)));
}

#include "lastbit/runtime/kernels/vector_body.h"

}  // namespace

const KernelSet& avx2_kernels() noexcept {
  static const KernelSet kSet = [] {
    KernelSet set = scalar_kernels();
    set.name = "avx2";
    set.dot = dot;
    set.panel = panel;
    set.dot_codes = dot_codes;
    set.decode = decode;
    set.activate = activate;
    set_avx2_products(set);
    return set;
  }();
  return kSet;
}

}  // namespace lastbit
