#include <cstdint>

#include "lastbit/runtime/kernels/sets.h"

namespace lastbit {
namespace {

constexpr std::size_t kLanes = 4;
using Vec = float __attribute__((vector_size(kLanes * sizeof(float))));
using IntVec = std::int32_t __attribute__((vector_size(kLanes * sizeof(float))));
using UintVec = std::uint32_t __attribute__((vector_size(kLanes * sizeof(float))));
constexpr std::size_t kTileSums = 4;
constexpr std::size_t kTileVectors = 2;

inline Vec splat(float x) noexcept { return x - Vec{}; }
inline Vec multiply_add(Vec a, Vec b, Vec c) noexcept { return a * b + c; }

inline Vec load_part(const float* from, std::size_t count) noexcept {
  Vec v = {};
  __builtin_memcpy(&v, from, count * sizeof(float));
  return v;
}

inline IntVec load_part(const std::int32_t* from, std::size_t count) noexcept {
  IntVec v = {};
  __builtin_memcpy(&v, from, count * sizeof(std::int32_t));
  return v;
}

inline void store_part(float* to, Vec v, std::size_t count) noexcept {
  __builtin_memcpy(to, &v, count * sizeof(float));
}

inline Vec lesser(Vec a, Vec b) noexcept { return a < b ? a : b; }
inline Vec greater(Vec a, Vec b) noexcept { return a > b ? a : b; }

// Numbers from 2^23 on are integers as they are, and so is what a smaller one and 2^23 add up to.
inline Vec round_even(Vec x) noexcept {
  const Vec large = splat(8388608.0F);
  const Vec away = x < 0.0F ? -large : large;
  const Vec rounded = (x + away) - away;
  return (x > -large) & (x < large) ? rounded : x;
}

inline void store_bytes(std::uint8_t* to, IntVec v) noexcept {
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kLanes; ++i) to[i] = static_cast<std::uint8_t>(v[i]);
}

template <int Bits>
struct Table {
  const float* levels;
  explicit Table(const float* table) noexcept : levels(table) {}
};

template <int Bits>
inline Vec look_up(UintVec codes, const Table<Bits>& table) noexcept {
  const UintVec index = codes & ((1U << Bits) - 1U);
  return Vec{table.levels[index[0]],
             table.levels[index[1]],
             table.levels[index[2]],
             table.levels[index[3]]};
}

#include "lastbit/runtime/kernels/product_body.h"

}  // namespace

void set_baseline_products(KernelSet& set) noexcept {
  set.tile_float = tile_float;
  set.vector_float = vector_float;
  set.finish_float = finish_float;
  set.finish_int8 = finish_int8;
  set.range = range;
  set.quantize = quantize;
}

}  // namespace lastbit
