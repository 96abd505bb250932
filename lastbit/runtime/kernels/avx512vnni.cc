#include <cstdint>
#include <immintrin.h>

#include "lastbit/runtime/kernels/sets.h"

// Products of integers by vpdpbusd, which adds four products of an unsigned and a signed byte to
// each lane. As in the other files of one instruction set, nothing of the standard library is
// called: a function of its headers compiled under these options could be the copy that the linker
// keeps for all processors.

#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vnni,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vnni,avx2,fma")
#endif

namespace lastbit {
namespace {

#include "lastbit/runtime/kernels/avx512vnni_body.h"

template <int Bits, std::size_t Rows, std::size_t Width>
inline void tile_sums(const Tile<std::uint8_t>& tile,
                      const WeightBlock& weights,
                      std::int32_t* out) noexcept {
  // Groups of one turn of the loop, at least four, and of a word.
  constexpr std::size_t kStep = Bits == 1 ? 8 : 4;
  constexpr std::size_t kFields = 8 / Bits;
  // Sums of few rows are kept in several parts, or each product would wait for the last one.
  constexpr std::size_t kParts = Rows * Width > 8 ? 1 : Rows * Width > 4 ? 2 : 4;

  const Tables<Bits> tables(weights.levels);
  const std::uint8_t* x[Rows];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Rows; ++r) x[r] = tile.rows[r];
  const std::int32_t* offsets = tile.offsets;
  const std::uint8_t* words = weights.words;
  Sums sums[kParts][Rows][Width] = {};

  std::size_t rest = tile.groups;
  for (; rest >= kStep; rest -= kStep) {
#pragma GCC unroll 8
    for (std::size_t g = 0; g < kStep; ++g) {
      const auto offset = static_cast<std::size_t>(offsets[g]);
      Word w[Width];
#pragma GCC unroll 2
      for (std::size_t v = 0; v < Width; ++v) {
        w[v] = tables.get(load_word(words + (g / kFields * Width + v) * kWordBytes), g % kFields);
      }
#pragma GCC unroll 8
      for (std::size_t r = 0; r < Rows; ++r) {
        const Word inputs = splat_inputs(x[r] + offset);
#pragma GCC unroll 2
        for (std::size_t v = 0; v < Width; ++v) {
          sums[g % kParts][r][v] = add_products(sums[g % kParts][r][v], inputs, w[v]);
        }
      }
    }
    offsets += kStep;
    words += kStep / kFields * Width * kWordBytes;
  }
#pragma GCC unroll 1
  for (std::size_t g = 0; g < rest; ++g) {
    const auto offset = static_cast<std::size_t>(offsets[g]);
    Word w[Width];
#pragma GCC unroll 2
    for (std::size_t v = 0; v < Width; ++v) {
      w[v] = tables.get_any(load_word(words + (g / kFields * Width + v) * kWordBytes), g % kFields);
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Rows; ++r) {
      const Word inputs = splat_inputs(x[r] + offset);
#pragma GCC unroll 2
      for (std::size_t v = 0; v < Width; ++v) {
        sums[0][r][v] = add_products(sums[0][r][v], inputs, w[v]);
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (std::size_t v = 0; v < Width; ++v) {
      Sums sum = sums[0][r][v];
#pragma GCC unroll 4
      for (std::size_t p = 1; p < kParts; ++p) sum += sums[p][r][v];
      store_sums(out + (r * Width + v) * kWordOutputs, sum);
    }
  }
}

template <int Bits, std::size_t Width>
void tile_rows(const Tile<std::uint8_t>& tile,
               const WeightBlock& weights,
               std::int32_t* out) noexcept {
  switch (tile.count) {
    case 1:
      return tile_sums<Bits, 1, Width>(tile, weights, out);
    case 7:
      return tile_sums<Bits, 7, Width>(tile, weights, out);
    case 8:
      return tile_sums<Bits, 8, Width>(tile, weights, out);
    default:
      break;
  }
  if constexpr (Bits < 8) {
    if (tile.count == 2) return tile_sums<Bits, 2, Width>(tile, weights, out);
    if (tile.count == 4) return tile_sums<Bits, 4, Width>(tile, weights, out);
  }
  if constexpr (Bits < 4 && Width == 2) {
    if (tile.count == 3) return tile_sums<Bits, 3, Width>(tile, weights, out);
    if (tile.count == 5) return tile_sums<Bits, 5, Width>(tile, weights, out);
    if (tile.count == 6) return tile_sums<Bits, 6, Width>(tile, weights, out);
  }
  // The others are rare, for convolutions are cut into tiles of 8 rows and 7, and not worth code of
  // their own.
  for (std::size_t row = 0; row < tile.count;) {
    const std::size_t left = tile.count - row;
    const std::size_t rows = Bits == 8 ? 1 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    tile_rows<Bits, Width>({tile.rows + row, rows, tile.offsets, tile.groups},
                           weights,
                           out + row * Width * kWordOutputs);
    row += rows;
  }
}

template <int Bits>
inline void tile_widths(const Tile<std::uint8_t>& tile,
                        const WeightBlock& weights,
                        std::int32_t* out) noexcept {
  if (weights.width == 2) return tile_rows<Bits, 2>(tile, weights, out);
  tile_rows<Bits, 1>(tile, weights, out);
}

void tile_int8(const Tile<std::uint8_t>& tile,
               const WeightBlock& weights,
               std::int32_t* out) noexcept {
  switch (weights.bits) {
    case 1:
      return tile_widths<1>(tile, weights, out);
    case 2:
      return tile_widths<2>(tile, weights, out);
    case 4:
      return tile_widths<4>(tile, weights, out);
    default:
      return tile_widths<8>(tile, weights, out);
  }
}

}  // namespace

const KernelSet& avx512vnni_kernels() noexcept {
  static const KernelSet kSet = [] {
    KernelSet set = avx512_kernels();
    set.name = "avx512vnni";
    set.tile_int8 = tile_int8;
    set.vector_int8 = avx512vnni_vector;
    return set;
  }();
  return kSet;
}

}  // namespace lastbit

#if defined(__clang__)
#pragma clang attribute pop
#endif
