#include <cstdint>
#include <immintrin.h>

#include "lastbit/runtime/kernels/sets.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx2,fma")
#endif

namespace lastbit {
namespace {

constexpr std::size_t kLanes = 16;
using Vec = float __attribute__((vector_size(kLanes * sizeof(float))));
using IntVec = std::int32_t __attribute__((vector_size(kLanes * sizeof(float))));
using UintVec = std::uint32_t __attribute__((vector_size(kLanes * sizeof(float))));
constexpr std::size_t kTileSums = 8;
constexpr std::size_t kTileVectors = 2;
constexpr bool kFewRegisters = false;
constexpr bool kFewSizes = false;
constexpr int kFewestBits = 4;
constexpr __mmask16 kAll = 0xFFFF;

inline __mmask16 mask_of(std::size_t count) noexcept {
  return static_cast<__mmask16>((1U << count) - 1U);
}

inline Vec splat(float x) noexcept { return _mm512_set1_ps(x); }
inline Vec multiply_add(Vec a, Vec b, Vec c) noexcept { return _mm512_fmadd_ps(a, b, c); }

inline Vec load_part(const float* from, std::size_t count) noexcept {
  return _mm512_maskz_loadu_ps(mask_of(count), from);
}

inline IntVec load_part(const std::int32_t* from, std::size_t count) noexcept {
  return reinterpret_cast<IntVec>(_mm512_maskz_loadu_epi32(mask_of(count), from));
}

inline void store_part(float* to, Vec v, std::size_t count) noexcept {
  _mm512_mask_storeu_ps(to, mask_of(count), v);
}

// The unmasked forms of these intrinsics warn of an undefined value in GCC's header.
inline Vec lesser(Vec a, Vec b) noexcept { return _mm512_maskz_min_ps(kAll, a, b); }
inline Vec greater(Vec a, Vec b) noexcept { return _mm512_maskz_max_ps(kAll, a, b); }

inline Vec round_even(Vec x) noexcept {
  return _mm512_maskz_roundscale_ps(kAll, x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

inline Vec load_bytes(const std::uint8_t* from) noexcept {
  __m128i bytes;
  __builtin_memcpy(&bytes, from, sizeof(bytes));
  return _mm512_maskz_cvtepi32_ps(kAll, _mm512_maskz_cvtepu8_epi32(kAll, bytes));
}

inline void store_nearest(std::uint8_t* to, Vec v) noexcept {
  const __m512i nearest =
      _mm512_maskz_cvt_roundps_epi32(kAll, v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m128i bytes = _mm512_maskz_cvtusepi32_epi8(kAll, nearest);
  __builtin_memcpy(to, &bytes, sizeof(bytes));
}

// A permutation looks at the lowest four bits of an index alone, and levels repeat.
template <int Bits>
struct Table {
  Vec levels;
  explicit Table(const float* table) noexcept { __builtin_memcpy(&levels, table, sizeof(levels)); }
};

template <>
struct Table<8> {
  const float* levels;
  explicit Table(const float* table) noexcept : levels(table) {}
};

template <int Bits>
inline Vec look_up(UintVec codes, const Table<Bits>& table) noexcept {
  if constexpr (Bits == 8) {
    const auto index = reinterpret_cast<__m512i>(codes & 255U);
    return _mm512_mask_i32gather_ps(Vec{}, kAll, index, table.levels, sizeof(float));
  } else {
    return _mm512_maskz_permutexvar_ps(kAll, reinterpret_cast<__m512i>(codes), table.levels);
  }
}

#include "lastbit/runtime/kernels/product_body.h"

void any_vector_float(const float* x,
                      std::size_t groups,
                      const WeightBlock& weights,
                      std::size_t blocks,
                      float* out) noexcept {
  if (weights.words != nullptr && weights.bits <= 2) {
    return avx512_few_bits(x, groups, weights, blocks, out);
  }
  vector_float(x, groups, weights, blocks, out);
}

}  // namespace

// Without VNNI there is little to gain from longer vectors of integers; every such processor has
// AVX2.
const KernelSet& avx512_kernels() noexcept {
  static constexpr KernelSet kSet = {
      .name = "avx512",
      .activate = activate,
      .tile_int8 = avx2_tile_int8,
      .tile_float = tile_float,
      .vector_int8 = avx2_vector_int8,
      .vector_float = any_vector_float,
      .make_tables = avx512_make_tables,
      .look_up = avx512_look_up,
      .look_up_vector = avx512_look_up_vector,
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
