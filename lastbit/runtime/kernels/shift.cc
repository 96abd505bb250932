// Integer products by additions, subtractions, shifts and bit masks alone, in portable C++.
//
// With d = level - least, which is never negative, and d_p its binary digits,
//
//     sum_k level_k x_k = sum_p 2^p (sum of the x_k whose d_p is 1) + least sum_k x_k.
//
// A binary weight has one such digit (-1, +1: d is 0 or 2), a ternary one two: a weight costs one
// or two masked additions, and the shifts come once a sum. Only the order of bytes in a word, the
// lowest first, is taken for granted.

#include "lastbit/runtime/kernels/sets.h"

namespace lastbit {
namespace {

constexpr std::size_t kVecBytes = 16;
using Bytes = std::uint8_t __attribute__((vector_size(kVecBytes)));
using Halves = std::int16_t __attribute__((vector_size(kVecBytes)));
using UnsignedHalves = std::uint16_t __attribute__((vector_size(kVecBytes)));
using Ints = std::int32_t __attribute__((vector_size(kVecBytes)));
using Sums = std::uint32_t __attribute__((vector_size(kVecBytes)));

// Vectors of a word. Each is about 4 outputs and the 4 inputs of a group.
constexpr std::size_t kVecs = kWordBytes / kVecBytes;
// A lane of 16 bits takes two inputs a group: 64 * 2 * 255 is below 2^15.
constexpr std::size_t kChunkGroups = 64;

// The even and the odd bytes of words for the groups of a chunk, as masks of all bits or none.
struct Masks {
  Halves even[kChunkGroups][kVecs];
  Halves odd[kChunkGroups][kVecs];
};

// Inputs 0 and 2, and 1 and 3, of each group, for all outputs of a vector.
struct Group {
  Halves even;
  Halves odd;
};

// What a field stands for, less the least level; all without a sign.
struct Digits {
  std::uint8_t of[16] = {};
  bool same = false;      // the digits are those of the field itself
  std::uint8_t flip = 0;  // then turned around in each field
  std::uint8_t used = 0;  // the union of all digits
  std::uint32_t minus_least = 0;
};

Digits digits_of_levels(const WeightBlock& w) noexcept {
  Digits digits;
  if (w.bits == 8) {
    digits.same = true;
    digits.flip = 0x80;
    digits.used = 0xff;
    digits.minus_least = 128;
    return digits;
  }
  const std::size_t codes = std::size_t{1} << w.bits;
  int least = w.levels[0];
  for (std::size_t c = 1; c < codes; ++c) least = w.levels[c] < least ? w.levels[c] : least;
  for (std::size_t c = 0; c < codes; ++c) {
    digits.of[c] = static_cast<std::uint8_t>(w.levels[c] - least);
    digits.used |= digits.of[c];
  }
  digits.minus_least = static_cast<std::uint32_t>(-least);
  return digits;
}

Digits digits_of_values(int bits, const std::uint8_t* values) noexcept {
  Digits digits;
  const std::size_t codes = std::size_t{1} << bits;
  digits.same = values == nullptr;
  for (std::size_t c = 0; c < codes; ++c) {
    digits.of[c] = values == nullptr ? static_cast<std::uint8_t>(c) : values[c];
    digits.used |= digits.of[c];
  }
  return digits;
}

// a * b by the digits of b.
std::uint32_t product(std::uint32_t a, std::uint32_t b) noexcept {
  std::uint32_t sum = 0;
  for (; b != 0; b >>= 1, a <<= 1) sum += (b & 1U) != 0 ? a : 0U;
  return sum;
}

Bytes look_up(Bytes fields, int bits, const Digits& digits) noexcept {
  if (digits.same) return fields ^ digits.flip;
  Bytes found = {};
  const unsigned codes = 1U << bits;
  for (unsigned c = 0; c < codes; ++c) {
    if (digits.of[c] == 0) continue;
    const auto code = static_cast<std::uint8_t>(c);
    found |= reinterpret_cast<Bytes>(fields == code) & digits.of[c];
  }
  return found;
}

// The digits of a column of words, for the groups of a chunk.
void expand(const std::uint8_t* words,
            int width,
            int bits,
            std::size_t groups,
            const Digits& digits,
            Bytes (*out)[kVecs]) noexcept {
  const auto mask = static_cast<std::uint8_t>((1U << bits) - 1U);
  const std::size_t step = width == 2 ? kWordBytes << 1 : kWordBytes;
  int bit = 0;
  for (std::size_t g = 0; g < groups; ++g) {
    for (std::size_t v = 0; v < kVecs; ++v) {
      Bytes word;
      __builtin_memcpy(&word, words + (v << 4), sizeof(word));
      out[g][v] = look_up((word >> bit) & mask, bits, digits);
    }
    bit += bits;
    if (bit == 8) {
      bit = 0;
      words += step;
    }
  }
}

// Whether digit `plane` is 1, for the even and the odd bytes.
void mask_plane(const Bytes (*digits)[kVecs],
                std::size_t groups,
                int plane,
                Masks& masks) noexcept {
  for (std::size_t g = 0; g < groups; ++g) {
    for (std::size_t v = 0; v < kVecs; ++v) {
      const auto pairs = reinterpret_cast<UnsignedHalves>(digits[g][v]);
      masks.even[g][v] = reinterpret_cast<Halves>(pairs << (15 - plane)) >> 15;
      masks.odd[g][v] = reinterpret_cast<Halves>(pairs << (7 - plane)) >> 15;
    }
  }
}

template <typename Input>
Group spread(const Input* x) noexcept {
  const auto half = [](Input value) {
    return static_cast<std::uint32_t>(static_cast<std::uint16_t>(value));
  };
  const Sums even = (half(x[0]) | (half(x[2]) << 16)) - Sums{};
  const Sums odd = (half(x[1]) | (half(x[3]) << 16)) - Sums{};
  return {.even = reinterpret_cast<Halves>(even), .odd = reinterpret_cast<Halves>(odd)};
}

// Adds what the masks let through, times 2^plane, to the sums of 16 outputs.
void add_plane(const Group* x,
               const Masks& masks,
               std::size_t groups,
               int plane,
               std::uint32_t* out) noexcept {
  Halves sums[kVecs] = {};
  for (std::size_t g = 0; g < groups; ++g) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVecs; ++v) {
      sums[v] += (x[g].even & masks.even[g][v]) + (x[g].odd & masks.odd[g][v]);
    }
  }
#pragma GCC unroll 4
  for (std::size_t v = 0; v < kVecs; ++v) {
    const auto low = reinterpret_cast<Ints>(reinterpret_cast<Sums>(sums[v]) << 16) >> 16;
    const auto high = reinterpret_cast<Ints>(sums[v]) >> 16;
    Sums total;
    __builtin_memcpy(&total, out + (v << 2), sizeof(total));
    total += reinterpret_cast<Sums>(low + high) << plane;
    __builtin_memcpy(out + (v << 2), &total, sizeof(total));
  }
}

// Sizes are powers of two, and known as such, so that addresses need no multiplication either.
struct Layout {
  int bits_shift;
  int width_shift;

  explicit Layout(const WeightBlock& w) noexcept
      : bits_shift(w.bits == 8   ? 3
                   : w.bits == 4 ? 2
                   : w.bits == 2 ? 1
                                 : 0),
        width_shift(w.width == 2 ? 1 : 0) {}
  // Chunks begin with a byte's first field: 64 is a multiple of any number of fields.
  std::size_t bytes(std::size_t groups) const noexcept {
    const std::size_t fields = std::size_t{8} >> bits_shift;
    return (groups + fields - 1) >> (3 - bits_shift) << width_shift << 6;
  }
  // Of a row of sums.
  int outputs_shift() const noexcept { return 4 + width_shift; }
};

// The sums of `count` rows, where `at(r, g)` is where the inputs of a group lie.
template <typename Input, typename At>
void add_block(const std::uint8_t* words,
               const WeightBlock& w,
               const Digits& digits,
               std::size_t count,
               std::size_t groups,
               At at,
               std::uint32_t* out) noexcept {
  const Layout layout(w);
  Bytes expanded[kChunkGroups][kVecs];
  Masks masks;
  Group x[kTileRows][kChunkGroups];
  for (std::size_t begin = 0; begin < groups; begin += kChunkGroups) {
    const std::size_t part = groups - begin < kChunkGroups ? groups - begin : kChunkGroups;
    for (std::size_t r = 0; r < count; ++r) {
      for (std::size_t g = 0; g < part; ++g) x[r][g] = spread<Input>(at(r, begin + g));
    }
    for (std::size_t column = 0; column < static_cast<std::size_t>(w.width); ++column) {
      expand(words + (column << 6), w.width, w.bits, part, digits, expanded);
      for (int plane = 0; plane < 8; ++plane) {
        if ((digits.used >> plane & 1) == 0) continue;
        mask_plane(expanded, part, plane, masks);
        for (std::size_t r = 0; r < count; ++r) {
          std::uint32_t* sums = out + (r << layout.outputs_shift()) + (column << 4);
          add_plane(x[r], masks, part, plane, sums);
        }
      }
    }
    words += layout.bytes(kChunkGroups);
  }
}

// Sums lie in out without a sign until they are whole: they are right modulo 2^32.
void store(const std::uint32_t* sums, std::size_t count, std::int32_t* out) noexcept {
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<std::int32_t>(sums[i]);
}

void tile_int8(const Tile<std::uint8_t>& tile,
               const WeightBlock& weights,
               std::int32_t* out) noexcept {
  const Digits digits = digits_of_levels(weights);
  const int shift = Layout(weights).outputs_shift();
  const auto at = [&tile](std::size_t r, std::size_t g) { return tile.rows[r] + tile.offsets[g]; };
  std::uint32_t sums[kTileRows * kBlockOutputs] = {};
  add_block<std::uint8_t>(weights.words, weights, digits, tile.count, tile.groups, at, sums);
  for (std::size_t r = 0; r < tile.count; ++r) {
    std::uint32_t total = 0;
    for (std::size_t g = 0; g < tile.groups; ++g) {
      const std::uint8_t* x = at(r, g);
      total += static_cast<std::uint32_t>(x[0] + x[1] + x[2] + x[3]);
    }
    const std::uint32_t less = product(total, digits.minus_least);
    std::uint32_t* row = sums + (r << shift);
    for (std::size_t o = 0; o < std::size_t{1} << shift; ++o) row[o] -= less;
  }
  store(sums, tile.count << shift, out);
}

void vector_int8(const std::int8_t* x,
                 std::size_t groups,
                 const WeightBlock& weights,
                 std::size_t blocks,
                 const std::uint8_t* values,
                 std::int32_t* out) noexcept {
  const Digits digits = digits_of_values(weights.bits, values);
  const Layout layout(weights);
  const auto at = [x](std::size_t, std::size_t g) { return x + (g << 2); };
  const std::uint8_t* words = weights.words;
  for (std::size_t b = 0; b < blocks; ++b) {
    std::uint32_t sums[kBlockOutputs] = {};
    add_block<std::int8_t>(words, weights, digits, 1, groups, at, sums);
    store(sums, std::size_t{1} << layout.outputs_shift(), out);
    words += layout.bytes(groups);
    out += std::size_t{1} << layout.outputs_shift();
  }
}

}  // namespace

const KernelSet& shift_kernels() noexcept {
  static const KernelSet kSet = [] {
    KernelSet set = baseline_kernels();
    set.name = "shift";
    set.tile_int8 = tile_int8;
    set.vector_int8 = vector_int8;
    return set;
  }();
  return kSet;
}

}  // namespace lastbit
