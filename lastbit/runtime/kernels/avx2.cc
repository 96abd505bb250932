#include <cstdint>
#include <immintrin.h>

#include "lastbit/runtime/kernels/sets.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

namespace lastbit {
namespace {

constexpr std::size_t kLanes = 8;
using Vec = float __attribute__((vector_size(kLanes * sizeof(float))));
using IntVec = std::int32_t __attribute__((vector_size(kLanes * sizeof(float))));
using UintVec = std::uint32_t __attribute__((vector_size(kLanes * sizeof(float))));
constexpr std::size_t kTileSums = 4;
constexpr std::size_t kTileVectors = 2;
constexpr bool kFewRegisters = true;
constexpr bool kFewSizes = false;
constexpr int kFewestBits = 2;

inline __m256i mask_of(std::size_t count) noexcept {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lane);
}

inline Vec splat(float x) noexcept { return _mm256_set1_ps(x); }
inline Vec multiply_add(Vec a, Vec b, Vec c) noexcept { return _mm256_fmadd_ps(a, b, c); }

inline Vec load_part(const float* from, std::size_t count) noexcept {
  return _mm256_maskload_ps(from, mask_of(count));
}

inline IntVec load_part(const std::int32_t* from, std::size_t count) noexcept {
  return reinterpret_cast<IntVec>(_mm256_maskload_epi32(from, mask_of(count)));
}

inline void store_part(float* to, Vec v, std::size_t count) noexcept {
  _mm256_maskstore_ps(to, mask_of(count), v);
}

inline Vec lesser(Vec a, Vec b) noexcept { return _mm256_min_ps(a, b); }
inline Vec greater(Vec a, Vec b) noexcept { return _mm256_max_ps(a, b); }

inline Vec round_even(Vec x) noexcept {
  return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

inline Vec load_bytes(const std::uint8_t* from) noexcept {
  std::int64_t bytes;
  __builtin_memcpy(&bytes, from, sizeof(bytes));
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bytes)));
}

inline void store_nearest(std::uint8_t* to, Vec v) noexcept {
  const __m256i all = _mm256_cvttps_epi32(round_even(lesser(v, splat(255.0F))));
  const __m128i words =
      _mm_packus_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
  const __m128i bytes = _mm_packus_epi16(words, words);
  __builtin_memcpy(to, &bytes, kLanes);
}

// A permutation looks at the lowest three bits of an index alone, and levels repeat.
template <int Bits>
struct Table {
  Vec levels;
  explicit Table(const float* table) noexcept { __builtin_memcpy(&levels, table, sizeof(levels)); }
};

template <>
struct Table<4> {
  Vec low;
  Vec high;
  explicit Table(const float* table) noexcept {
    __builtin_memcpy(&low, table, sizeof(low));
    __builtin_memcpy(&high, table + kLanes, sizeof(high));
  }
};

template <>
struct Table<8> {
  const float* levels;
  explicit Table(const float* table) noexcept : levels(table) {}
};

template <int Bits>
inline Vec look_up(UintVec codes, const Table<Bits>& table) noexcept {
  const auto index = reinterpret_cast<__m256i>(codes);
  if constexpr (Bits == 8) {
    return _mm256_i32gather_ps(
        table.levels, reinterpret_cast<__m256i>(codes & 255U), sizeof(float));
  } else if constexpr (Bits == 4) {
    const Vec low = _mm256_permutevar8x32_ps(table.low, index);
    const Vec high = _mm256_permutevar8x32_ps(table.high, index);
    return _mm256_blendv_ps(low, high, reinterpret_cast<__m256>(codes << 28U));
  } else {
    return _mm256_permutevar8x32_ps(table.levels, index);
  }
}

#include "lastbit/runtime/kernels/product_body.h"

}  // namespace

const KernelSet& avx2_kernels() noexcept {
  static constexpr KernelSet kSet = {
      .name = "avx2",
      .activate = activate,
      .tile_int8 = avx2_tile_int8,
      .tile_float = tile_float,
      .vector_int8 = avx2_vector_int8,
      .vector_float = vector_float,
      .finish_float = finish_float,
      .finish_int8 = finish_int8,
      .filter = filter,
      .filter_bytes = filter_bytes,
      .largest = largest,
      .range = range,
      .quantize = quantize,
  };
  return kSet;
}

}  // namespace lastbit

#if defined(__clang__)
#pragma clang attribute pop
#endif
