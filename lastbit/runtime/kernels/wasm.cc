// Integer products with WebAssembly's vectors of 128 bits: bytes are widened to 16 bits, and pairs
// of their products summed in 32.

#include <wasm_simd128.h>

#include "lastbit/runtime/kernels/sets.h"

namespace lastbit {
namespace {

constexpr std::size_t kVecBytes = sizeof(v128_t);
constexpr std::size_t kVecs = kWordBytes / kVecBytes;
constexpr std::size_t kVecOutputs = kWordOutputs / kVecs;
// Rows and vectors of a tile whose sums stay in registers: there are 16 of them on x86.
constexpr std::size_t kRows = 2;
constexpr std::size_t kTileVecs = 2;

// How bytes are widened: inputs of no sign with levels of a sign, and the other way round.
struct Levels {
  static v128_t input(v128_t x) noexcept { return wasm_u16x8_extend_low_u8x16(x); }
  static v128_t low(v128_t w) noexcept { return wasm_i16x8_extend_low_i8x16(w); }
  static v128_t high(v128_t w) noexcept { return wasm_i16x8_extend_high_i8x16(w); }
};

struct Values {
  static v128_t input(v128_t x) noexcept { return wasm_i16x8_extend_low_i8x16(x); }
  static v128_t low(v128_t w) noexcept { return wasm_u16x8_extend_low_u8x16(w); }
  static v128_t high(v128_t w) noexcept { return wasm_u16x8_extend_high_u8x16(w); }
};

template <int Bits>
inline v128_t look_up(v128_t word, std::size_t field, v128_t table) noexcept {
  if constexpr (Bits == 8) return word;
  const v128_t codes = wasm_u8x16_shr(word, static_cast<std::uint32_t>(field) * Bits);
  return wasm_i8x16_swizzle(table, wasm_v128_and(codes, wasm_i8x16_splat((1 << Bits) - 1)));
}

// The sums of Rows rows by kTileVecs vectors of a word, where `at(r, g)` is where the inputs of a
// group lie.
template <typename Wide, int Bits, std::size_t Rows, typename At>
inline void add_tile(At at,
                     std::size_t groups,
                     const std::uint8_t* words,
                     std::size_t word_step,
                     v128_t table,
                     std::int32_t* out,
                     std::size_t stride) noexcept {
  constexpr std::size_t kFields = 8 / Bits;
  v128_t sums[Rows][2 * kTileVecs] = {};
  for (std::size_t g = 0; g < groups; g += kFields, words += word_step) {
    v128_t word[kTileVecs];
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kTileVecs; ++v) word[v] = wasm_v128_load(words + v * kVecBytes);
    const std::size_t left = groups - g;
    for (std::size_t f = 0; f < (left < kFields ? left : kFields); ++f) {
      v128_t x[Rows];
#pragma GCC unroll 2
      for (std::size_t r = 0; r < Rows; ++r) {
        x[r] = Wide::input(wasm_v128_load32_splat(at(r, g + f)));
      }
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kTileVecs; ++v) {
        const v128_t w = look_up<Bits>(word[v], f, table);
        const v128_t low = Wide::low(w);
        const v128_t high = Wide::high(w);
#pragma GCC unroll 2
        for (std::size_t r = 0; r < Rows; ++r) {
          v128_t* sum = &sums[r][2 * v];
          sum[0] = wasm_i32x4_add(sum[0], wasm_i32x4_dot_i16x8(low, x[r]));
          sum[1] = wasm_i32x4_add(sum[1], wasm_i32x4_dot_i16x8(high, x[r]));
        }
      }
    }
  }
  // Two lanes that follow each other are about one output.
  for (std::size_t r = 0; r < Rows; ++r) {
    for (std::size_t v = 0; v < kTileVecs; ++v) {
      const v128_t a = sums[r][2 * v];
      const v128_t b = sums[r][2 * v + 1];
      wasm_v128_store(out + r * stride + v * kVecOutputs,
                      wasm_i32x4_add(wasm_i32x4_shuffle(a, b, 0, 2, 4, 6),
                                     wasm_i32x4_shuffle(a, b, 1, 3, 5, 7)));
    }
  }
}

template <int Bits>
void tile_of(const Tile<std::uint8_t>& tile, const WeightBlock& w, std::int32_t* out) noexcept {
  const v128_t table = Bits == 8 ? wasm_i8x16_splat(0) : wasm_v128_load(w.levels);
  const std::size_t width = static_cast<std::size_t>(w.width);
  const std::size_t stride = width * kWordOutputs;
  for (std::size_t o = 0; o < stride; o += kTileVecs * kVecOutputs) {
    const std::uint8_t* words = w.words + o * kGroupInputs;
    for (std::size_t begin = 0; begin < tile.count; begin += kRows) {
      const auto at = [&tile, begin](std::size_t r, std::size_t g) {
        return tile.rows[begin + r] + tile.offsets[g];
      };
      const auto add = begin + kRows <= tile.count ? add_tile<Levels, Bits, kRows, decltype(at)>
                                                   : add_tile<Levels, Bits, 1, decltype(at)>;
      add(at, tile.groups, words, width * kWordBytes, table, out + begin * stride + o, stride);
    }
  }
}

void tile_int8(const Tile<std::uint8_t>& tile,
               const WeightBlock& weights,
               std::int32_t* out) noexcept {
  switch (weights.bits) {
    case 1:
      return tile_of<1>(tile, weights, out);
    case 2:
      return tile_of<2>(tile, weights, out);
    case 4:
      return tile_of<4>(tile, weights, out);
    default:
      return tile_of<8>(tile, weights, out);
  }
}

template <int Bits>
void vector_of(const std::int8_t* x,
               std::size_t groups,
               const WeightBlock& weights,
               std::size_t blocks,
               const std::uint8_t* values,
               std::int32_t* out) noexcept {
  const v128_t codes = wasm_i8x16_const(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const v128_t table = values == nullptr ? codes : wasm_v128_load(values);
  const auto at = [x](std::size_t, std::size_t g) { return x + kGroupInputs * g; };
  const std::size_t width = static_cast<std::size_t>(weights.width);
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::uint8_t* words = weights.words + b * block_bytes(groups, Bits, weights.width);
    for (std::size_t o = 0; o < width * kWordOutputs; o += kTileVecs * kVecOutputs) {
      add_tile<Values, Bits, 1>(
          at, groups, words + o * kGroupInputs, width * kWordBytes, table, out + o, 0);
    }
    out += width * kWordOutputs;
  }
}

void vector_int8(const std::int8_t* x,
                 std::size_t groups,
                 const WeightBlock& weights,
                 std::size_t blocks,
                 const std::uint8_t* values,
                 std::int32_t* out) noexcept {
  switch (weights.bits) {
    case 1:
      return vector_of<1>(x, groups, weights, blocks, values, out);
    case 2:
      return vector_of<2>(x, groups, weights, blocks, values, out);
    default:
      return vector_of<4>(x, groups, weights, blocks, values, out);
  }
}

}  // namespace

const KernelSet& wasm_kernels() noexcept {
  static const KernelSet kSet = [] {
    KernelSet set = baseline_kernels();  // compiled to vectors of four floats too
    set.name = "wasm";
    set.tile_int8 = tile_int8;
    set.vector_int8 = vector_int8;
    return set;
  }();
  return kSet;
}

}  // namespace lastbit
