// The products of floats, and what comes before and after products, in terms of a vector of kLanes
// floats. No include guard: each file of one instruction set includes this once, inside its own
// namespace and under its own target options, after it has defined
//   kLanes, Vec, IntVec, UintVec  vectors of as many floats and 32-bit integers;
//   kTileSums, kTileVectors       the rows and vectors of sums that fill the registers;
//   kFewRegisters                 whether there are 16 of them;
//   kFewSizes                     whether rows beyond whole tiles are taken one by one, which saves
//                                 code;
//   kFewestBits                   fields of fewer bits are read as if they had so many;
//   load_part, store_part         vectors of which only the first few lanes are touched;
//   multiply_add                  a * b + c, said outright, since compilers fuse some products and
//                                 not others, and bits must not depend on the tile;
//   lesser, greater               the second argument where either is not a number;
//   round_even                    to the nearest integer, ties to the even;
//   load_bytes, store_nearest     kLanes bytes: their values, and those nearest to values of 0 or
//                                 more, of which those beyond 255 become 255;
//   splat;
//   Table<Bits>, look_up          the levels of codes: `look_up` reads the lowest Bits of a lane.
//
// Nothing of the standard library is called here: a function of its headers compiled under these
// options could be the copy that the linker keeps for all processors.

inline Vec load(const float* from) noexcept {
  Vec v;
  __builtin_memcpy(&v, from, sizeof(v));
  return v;
}

inline void store(float* to, Vec v) noexcept { __builtin_memcpy(to, &v, sizeof(v)); }

#include "lastbit/runtime/kernels/vector_activations.h"

constexpr std::size_t kWordVectors = kWordOutputs / kLanes;

// Weights of Vectors neighbouring vectors of outputs, group after group. `next` reads the words
// that the following `fields` groups lie in; after each group `advance` moves to the next field.
template <int Bits, std::size_t Vectors>
struct CodeReader {
  static constexpr bool kSlow = Bits == 8;
  static constexpr bool kRare = true;
  const std::uint8_t* at;
  std::size_t stride;
  std::size_t fields;
  int bits;
  Table<Bits> table;
  UintVec words[Vectors];

  CodeReader(const WeightBlock& w, std::size_t vector) noexcept
      : at(w.words + vector * sizeof(Vec)),
        stride(static_cast<std::size_t>(w.width) * kWordBytes),
        fields(8 / static_cast<std::size_t>(w.bits)),
        bits(w.bits),
        table(w.table) {}

  void next() noexcept {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < Vectors; ++v) {
      __builtin_memcpy(&words[v], at + v * sizeof(Vec), sizeof(Vec));
    }
    at += stride;
  }
  Vec get(std::size_t v, std::size_t input) const noexcept {
    return look_up(words[v] >> static_cast<unsigned>(8 * input), table);
  }
  void advance() noexcept {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < Vectors; ++v) words[v] >>= static_cast<unsigned>(bits);
  }
};

template <std::size_t Vectors>
struct FloatReader {
  static constexpr bool kSlow = false;
  static constexpr bool kRare = false;
  const float* at;
  std::size_t stride;
  std::size_t fields = 1;

  FloatReader(const WeightBlock& w, std::size_t vector) noexcept
      : at(w.floats + vector * kLanes), stride(static_cast<std::size_t>(w.width) * kWordOutputs) {}

  void next() noexcept {}
  Vec get(std::size_t v, std::size_t input) const noexcept {
    return load(at + input * stride + v * kLanes);
  }
  void advance() noexcept { at += kGroupInputs * stride; }
};

// Rows x Vectors sums stay in registers while k runs.
template <std::size_t Rows, std::size_t Vectors, typename Input, typename Reader>
inline void float_sums(const Input* const* rows,
                       const std::int32_t* offsets,
                       std::size_t groups,
                       Reader weights,
                       float* out,
                       std::size_t stride) noexcept {
  const Input* x[Rows];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Rows; ++r) x[r] = rows[r];
  Vec sums[Rows][Vectors] = {};
  for (std::size_t g = 0; g < groups;) {
    weights.next();
    const std::size_t rest = groups - g;
    const std::size_t end = g + (rest < weights.fields ? rest : weights.fields);
    for (; g < end; ++g) {
      const auto offset = static_cast<std::size_t>(offsets[g]);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kGroupInputs; ++i) {
        // Loads of the next inputs stay behind: GCC would move them up and run out of registers.
        if constexpr (kFewRegisters) __asm__ volatile("" : : : "memory");
        Vec w[Vectors];
#pragma GCC unroll 4
        for (std::size_t v = 0; v < Vectors; ++v) w[v] = weights.get(v, i);
#pragma GCC unroll 8
        for (std::size_t r = 0; r < Rows; ++r) {
          const Vec input = splat(static_cast<float>(x[r][offset + i]));
#pragma GCC unroll 4
          for (std::size_t v = 0; v < Vectors; ++v) {
            sums[r][v] = multiply_add(input, w[v], sums[r][v]);
          }
        }
      }
      weights.advance();
    }
  }
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < Vectors; ++v) store(out + r * stride + v * kLanes, sums[r][v]);
  }
}

// Whether sums of so many rows have code of their own. Convolutions are cut into tiles of kTileRows
// and one less; for weights that are rare, other sizes are not worth it.
template <typename Reader>
constexpr bool has_size(std::size_t rows) noexcept {
  if (rows == 1 || rows == kTileSums) return true;
  if (kFewSizes || Reader::kSlow || rows > kTileSums) return false;
  return !Reader::kRare || rows == kTileSums - 1;
}

template <std::size_t Vectors, typename Input, typename Reader>
inline void float_rows(const Tile<Input>& tile,
                       std::size_t row,
                       std::size_t rows,
                       Reader weights,
                       float* out,
                       std::size_t stride) noexcept {
  const Input* const* x = tile.rows + row;
  switch (rows) {
#define LASTBIT_CASE(count)                                                                  \
  case count:                                                                                \
    if constexpr (has_size<Reader>(count)) {                                                 \
      return float_sums<count, Vectors>(x, tile.offsets, tile.groups, weights, out, stride); \
    }                                                                                        \
    break;
    LASTBIT_CASE(1)
    LASTBIT_CASE(2)
    LASTBIT_CASE(3)
    LASTBIT_CASE(4)
    LASTBIT_CASE(5)
    LASTBIT_CASE(6)
    LASTBIT_CASE(7)
    LASTBIT_CASE(8)
#undef LASTBIT_CASE
    default:
      break;
  }
}

// All rows, with one kind of weights.
template <std::size_t Vectors, typename Input, typename Reader>
inline void float_tiles(const Tile<Input>& tile,
                        const Reader& weights,
                        float* out,
                        std::size_t stride) noexcept {
  for (std::size_t row = 0, rows = 0; row < tile.count; row += rows) {
    const std::size_t rest = tile.count - row;
    rows = rest >= kTileSums ? kTileSums : has_size<Reader>(rest) ? rest : 1;
    float_rows<Vectors>(tile, row, rows, weights, out + row * stride, stride);
  }
}

template <std::size_t Vectors, typename Input>
inline void float_columns(const Tile<Input>& tile,
                          const WeightBlock& w,
                          std::size_t vector,
                          float* out,
                          std::size_t stride) noexcept {
  float* const to = out + vector * kLanes;
  if (w.words == nullptr) {
    float_tiles<Vectors>(tile, FloatReader<Vectors>(w, vector), to, stride);
  } else if (w.bits == 8) {
    float_tiles<Vectors>(tile, CodeReader<8, Vectors>(w, vector), to, stride);
  } else if (w.bits == 4 || kFewestBits == 4) {
    float_tiles<Vectors>(tile, CodeReader<4, Vectors>(w, vector), to, stride);
  } else {
    float_tiles<Vectors>(tile, CodeReader<kFewestBits, Vectors>(w, vector), to, stride);
  }
}

template <typename Input>
inline void tile_any(const Tile<Input>& tile, const WeightBlock& weights, float* out) noexcept {
  const auto width = static_cast<std::size_t>(weights.width);
  const std::size_t vectors = width * kWordVectors;
  const std::size_t stride = width * kWordOutputs;
  std::size_t v = 0;
  for (; v + kTileVectors <= vectors; v += kTileVectors) {
    float_columns<kTileVectors>(tile, weights, v, out, stride);
  }
  if constexpr (kWordVectors % kTileVectors != 0) {
    for (; v < vectors; ++v) float_columns<1>(tile, weights, v, out, stride);
  }
}

inline void tile_float(const Tile<float>& tile, const WeightBlock& weights, float* out) noexcept {
  tile_any(tile, weights, out);
}

// Each of the inputs of a group has sums of its own: no product waits for the last one.
template <std::size_t Vectors, typename Input, typename Reader>
inline void vector_sums(const Input* x, std::size_t groups, Reader weights, float* out) noexcept {
  Vec sums[Vectors][kGroupInputs] = {};
  for (std::size_t g = 0; g < groups;) {
    weights.next();
    const std::size_t rest = groups - g;
    const std::size_t end = g + (rest < weights.fields ? rest : weights.fields);
    for (; g < end; ++g) {
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kGroupInputs; ++i) {
        const Vec input = splat(static_cast<float>(x[g * kGroupInputs + i]));
#pragma GCC unroll 4
        for (std::size_t v = 0; v < Vectors; ++v) {
          sums[v][i] = multiply_add(input, weights.get(v, i), sums[v][i]);
        }
      }
      weights.advance();
    }
  }
#pragma GCC unroll 4
  for (std::size_t v = 0; v < Vectors; ++v) {
    store(out + v * kLanes, (sums[v][0] + sums[v][1]) + (sums[v][2] + sums[v][3]));
  }
}

template <std::size_t Vectors, typename Input>
inline void vector_column(const Input* x,
                          std::size_t groups,
                          const WeightBlock& w,
                          std::size_t vector,
                          float* out) noexcept {
  if (w.words == nullptr) {
    vector_sums<Vectors>(x, groups, FloatReader<Vectors>(w, vector), out);
  } else if (w.bits == 8) {
    vector_sums<Vectors>(x, groups, CodeReader<8, Vectors>(w, vector), out);
  } else if (w.bits == 4 || kFewestBits == 4) {
    vector_sums<Vectors>(x, groups, CodeReader<4, Vectors>(w, vector), out);
  } else {
    vector_sums<Vectors>(x, groups, CodeReader<kFewestBits, Vectors>(w, vector), out);
  }
}

// One block.
template <typename Input>
inline void vector_any(const Input* x,
                       std::size_t groups,
                       const WeightBlock& block,
                       float* out) noexcept {
  const std::size_t vectors = static_cast<std::size_t>(block.width) * kWordVectors;
  std::size_t v = 0;
  for (; v + kTileVectors <= vectors; v += kTileVectors) {
    vector_column<kTileVectors>(x, groups, block, v, out + v * kLanes);
  }
  if constexpr (kWordVectors % kTileVectors != 0) {
    for (; v < vectors; ++v) vector_column<1>(x, groups, block, v, out + v * kLanes);
  }
}

inline void vector_float(const float* x,
                         std::size_t groups,
                         const WeightBlock& weights,
                         std::size_t blocks,
                         float* out) noexcept {
  const std::size_t outputs = static_cast<std::size_t>(weights.width) * kWordOutputs;
  WeightBlock block = weights;
  for (std::size_t b = 0; b < blocks; ++b) {
    vector_any(x, groups, block, out + b * outputs);
    if (block.words != nullptr) block.words += block_bytes(groups, block.bits, block.width);
    if (block.floats != nullptr) block.floats += groups * kGroupInputs * outputs;
  }
}

#include "lastbit/runtime/kernels/finish_body.h"
