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
constexpr bool kFewRegisters = true;
constexpr bool kFewSizes = true;
constexpr int kFewestBits = 4;

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
  return ((x > -large) & (x < large)) ? rounded : x;
}

inline Vec load_bytes(const std::uint8_t* from) noexcept {
  const IntVec integers = {from[0], from[1], from[2], from[3]};
  return __builtin_convertvector(integers, Vec);
}

inline void store_nearest(std::uint8_t* to, Vec v) noexcept {
  const Vec rounded = round_even(lesser(v, splat(255.0F)));
  const auto bytes = __builtin_convertvector(rounded, IntVec);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kLanes; ++i) to[i] = static_cast<std::uint8_t>(bytes[i]);
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

// Integers as floats, which processors of every kind multiply in vectors: a sum of this many groups
// of products of 255 and 128 stays below 2^24, and is exact.
constexpr std::size_t kExactGroups = 128;

// Adds a stretch to what the former ones came to.
inline void add_integers(const float* sums,
                         std::size_t count,
                         bool first,
                         std::int32_t* out) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    const auto sum = static_cast<std::int32_t>(sums[i]);
    out[i] = first ? sum : out[i] + sum;
  }
}

void tile_int8(const Tile<std::uint8_t>& tile,
               const WeightBlock& weights,
               std::int32_t* out) noexcept {
  float table[256];
  for (std::size_t i = 0; i < 256; ++i) {
    table[i] = static_cast<float>(weights.bits == 8 ? static_cast<std::int8_t>(i)
                                                    : weights.levels[i % 16]);
  }
  WeightBlock block = weights;
  block.table = table;
  Tile<std::uint8_t> part = tile;
  float sums[kTileRows * kBlockOutputs];
  const std::size_t count = tile.count * static_cast<std::size_t>(weights.width) * kWordOutputs;
  for (std::size_t g = 0; g < tile.groups; g += kExactGroups) {
    const std::size_t rest = tile.groups - g;
    part.groups = rest < kExactGroups ? rest : kExactGroups;
    part.offsets = tile.offsets + g;
    tile_any(part, block, sums);
    add_integers(sums, count, g == 0, out);
    block.words += block_bytes(kExactGroups, block.bits, block.width);
  }
}

void vector_int8(const std::int8_t* x,
                 std::size_t groups,
                 const WeightBlock& weights,
                 std::size_t blocks,
                 const std::uint8_t* values,
                 std::int32_t* out) noexcept {
  const unsigned codes = 1U << static_cast<unsigned>(weights.bits);
  float table[16];
  for (unsigned i = 0; i < 16; ++i) {
    table[i] = static_cast<float>(values == nullptr ? i % codes : values[i % codes]);
  }
  WeightBlock block = weights;
  block.table = table;
  const std::size_t outputs = static_cast<std::size_t>(weights.width) * kWordOutputs;
  const std::size_t bytes = block_bytes(groups, weights.bits, weights.width);
  float sums[kBlockOutputs];
  for (std::size_t b = 0; b < blocks; ++b) {
    block.words = weights.words + b * bytes;
    for (std::size_t g = 0; g < groups; g += kExactGroups) {
      const std::size_t rest = groups - g;
      vector_any(x + g * kGroupInputs, rest < kExactGroups ? rest : kExactGroups, block, sums);
      add_integers(sums, outputs, g == 0, out + b * outputs);
      block.words += block_bytes(kExactGroups, block.bits, block.width);
    }
  }
}

}  // namespace

const KernelSet& baseline_kernels() noexcept {
  static constexpr KernelSet kSet = {
      .name = "baseline",
      .activate = activate,
      .tile_int8 = tile_int8,
      .tile_float = tile_float,
      .vector_int8 = vector_int8,
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
