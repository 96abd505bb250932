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

inline Vec load_part(const float* from, std::size_t count) noexcept {
  return _mm512_maskz_loadu_ps(mask_of(count), from);
}

inline void store_part(float* to, Vec v, std::size_t count) noexcept {
  _mm512_mask_storeu_ps(to, mask_of(count), v);
}

using Levels = Vec;

inline Levels load_levels(const float* table) noexcept { return _mm512_loadu_ps(table); }

inline __m512i splat_pair(const std::uint8_t* from) noexcept {
  std::int16_t pair;
  __builtin_memcpy(&pair, from, sizeof(pair));
  return _mm512_set1_epi16(pair);
}

inline __m512i splat_four(const std::uint8_t* from) noexcept {
  std::int32_t four;
  __builtin_memcpy(&four, from, sizeof(four));
  return _mm512_set1_epi32(four);
}

// One field a lane, each moved to the lowest bits: a permutation looks at the lowest four alone.
template <int Bits>
inline void decode_block(const std::uint8_t* codes, Levels levels, float* out) noexcept {
  constexpr IntVec kLane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  __m512i words;
  if constexpr (Bits == 1) words = splat_pair(codes);
  if constexpr (Bits == 2) words = splat_four(codes);
  if constexpr (Bits == 4) {
    words = _mm512_mask_blend_epi32(0xFF00, splat_four(codes), splat_four(codes + 4));
  }
  const auto shifts = reinterpret_cast<__m512i>(kLane * Bits % 32);
  // The unmasked forms of these intrinsics warn of an undefined value in GCC's header.
  const __m512i fields = _mm512_maskz_srlv_epi32(0xFFFF, words, shifts);
  _mm512_storeu_ps(out, _mm512_maskz_permutexvar_ps(0xFFFF, fields, levels));
}

#include "lastbit/runtime/kernels/vector_body.h"

}  // namespace

const KernelSet& avx512_kernels() noexcept {
  static constexpr KernelSet kSet = {"avx512", dot, panel, decode_codes, activate};
  return kSet;
}

}  // namespace lastbit
