#include <cstdint>
#include <immintrin.h>

#include "lastbit/runtime/kernels/sets.h"

#pragma GCC target("avx512f,avx512dq,avx512bw,avx2,fma")

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

inline Vec multiply_add(Vec a, Vec b, Vec c) noexcept { return _mm512_fmadd_ps(a, b, c); }

inline Vec load_part(const float* from, std::size_t count) noexcept {
  return _mm512_maskz_loadu_ps(mask_of(count), from);
}

inline void store_part(float* to, Vec v, std::size_t count) noexcept {
  _mm512_mask_storeu_ps(to, mask_of(count), v);
}

using Levels = Vec;

inline Levels load_levels(const float* table) noexcept { return _mm512_loadu_ps(table); }

inline __m512i splat_two(const std::uint8_t* from) noexcept {
  std::int16_t two;
  __builtin_memcpy(&two, from, sizeof(two));
  return _mm512_set1_epi16(two);
}

inline __m512i splat_four(const std::uint8_t* from) noexcept {
  std::int32_t four;
  __builtin_memcpy(&four, from, sizeof(four));
  return _mm512_set1_epi32(four);
}

// One field a lane, each moved to the lowest bits: a permutation looks at the lowest four alone.
template <int Bits>
inline Vec look_up(const std::uint8_t* fields, std::size_t k, Levels levels) noexcept {
  constexpr IntVec kLane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const std::uint8_t* from = fields + k / 8 * Bits;
  __m512i words;
  if constexpr (Bits == 1) words = splat_two(from);
  if constexpr (Bits == 2) words = splat_four(from);
  if constexpr (Bits == 4) {
    words = _mm512_mask_blend_epi32(0xFF00, splat_four(from), splat_four(from + 4));
  }
  const auto shifts = reinterpret_cast<__m512i>(kLane * Bits % 32);
  // The unmasked forms of these intrinsics warn of an undefined value in GCC's header.
  const __m512i moved = _mm512_maskz_srlv_epi32(0xFFFF, words, shifts);
  return _mm512_maskz_permutexvar_ps(0xFFFF, moved, levels);
}

#include "lastbit/runtime/kernels/vector_body.h"

}  // namespace

const KernelSet& avx512_kernels() noexcept {
  static const KernelSet kSet = [] {
    KernelSet set = scalar_kernels();
    set.name = "avx512";
    set.dot = dot;
    set.panel = panel;
    set.dot_codes = dot_codes;
    set.decode = decode;
    set.activate = activate;
    set_avx512_products(set);
    return set;
  }();
  return kSet;
}

}  // namespace lastbit
