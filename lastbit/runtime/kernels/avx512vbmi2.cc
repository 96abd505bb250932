#include <cstdint>
#include <immintrin.h>

#include "lastbit/runtime/kernels/sets.h"

// Products of bytes and binary weights by vpermi2w, which looks up 32 sums of 16 bits in a table of
// 64: byte_lookup.h. As in the other files of one instruction set, nothing of the standard library
// is called.

#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vbmi2,avx2,fma")

namespace lastbit {
namespace {

constexpr std::size_t kLanes = kWordBytes / sizeof(std::uint16_t);
static_assert(kSubsetSums == 2 * kLanes);
using Sums = std::uint16_t __attribute__((vector_size(kWordBytes)));
using Wide = std::uint32_t __attribute__((vector_size(kWordBytes)));

template <typename Vec = Sums>
inline Vec load(const void* from) noexcept {
  Vec v;
  __builtin_memcpy(&v, from, sizeof(v));
  return v;
}

template <typename Vec>
inline void store(void* to, Vec v) noexcept {
  __builtin_memcpy(to, &v, sizeof(v));
}

// Whether each of two inputs is in the subset of a lane, of the lower half of a table.
struct Members {
  alignas(kWordBytes) std::uint8_t of[3][kWordBytes];
  constexpr Members() noexcept : of() {
    for (std::size_t j = 0; j + 1 < kSubsetInputs; ++j) {
      for (std::size_t i = 0; i < kLanes; ++i) of[j / 2][2 * i + j % 2] = i >> j & 1U;
    }
  }
};

// `inputs`: six bytes, the first the lowest.
inline void make_table(std::uint64_t inputs, const Sums* members, std::uint16_t* table) noexcept {
  Sums low = {};
#pragma GCC unroll 3
  for (std::size_t p = 0; p < 3; ++p) {
    const auto pair = static_cast<std::int16_t>(inputs >> (16 * p));
    low += reinterpret_cast<Sums>(
        _mm512_maddubs_epi16(_mm512_set1_epi16(pair), reinterpret_cast<__m512i>(members[p])));
  }
  store(table, low);
  store(table + kLanes, low + static_cast<std::uint16_t>(inputs >> 40U & 255U));
}

inline std::int32_t sum_of(const std::uint8_t* x, std::size_t count) noexcept {
  __m512i sums = {};
  for (std::size_t i = 0; i < count; i += kWordBytes) {
    const std::size_t rest = count - i;
    const __mmask64 mask = rest < kWordBytes ? (std::uint64_t{1} << rest) - 1 : ~std::uint64_t{0};
    sums += _mm512_sad_epu8(_mm512_maskz_loadu_epi8(mask, x + i), __m512i{});
  }
  return static_cast<std::int32_t>(_mm512_reduce_add_epi64(sums));
}

void make_tables(const ByteTableRequest& request) noexcept {
  static constexpr Members kMembers;
  Sums members[3];
#pragma GCC unroll 3
  for (std::size_t p = 0; p < 3; ++p) members[p] = load(kMembers.of[p]);
  std::uint16_t* to = request.tables;
  for (std::size_t pixel = 0; pixel < request.pixels; ++pixel) {
    const std::uint8_t* x = request.x + pixel * request.stride;
    request.sums[pixel] = sum_of(x, request.count);
    std::size_t rest = request.count;
    for (; rest >= kSubsetInputs; rest -= kSubsetInputs) {
      std::uint32_t first;
      std::uint16_t last;
      __builtin_memcpy(&first, x, sizeof(first));
      __builtin_memcpy(&last, x + sizeof(first), sizeof(last));
      make_table(first | static_cast<std::uint64_t>(last) << 32U, members, to);
      x += kSubsetInputs;
      to += kSubsetSums;
    }
    if (rest == 0) continue;
    std::uint64_t inputs = 0;
    for (std::size_t j = 0; j < rest; ++j) inputs |= std::uint64_t{x[j]} << (8 * j);
    make_table(inputs, members, to);
    to += kSubsetSums;
  }
}

// Table `T` of a turn: the lowest six bits of each lane, what is above is not looked at.
template <std::size_t T>
inline __m512i subsets(const std::uint8_t* word) noexcept {
  constexpr std::size_t kFirst = T * kSubsetInputs / 16;
  constexpr int kShift = T * kSubsetInputs % 16;
  const auto a = load<__m512i>(word + kFirst * kByteWords * kWordBytes);
  if constexpr (kShift > 16 - static_cast<int>(kSubsetInputs)) {
    const auto b = load<__m512i>(word + (kFirst + 1) * kByteWords * kWordBytes);
    return _mm512_shrdi_epi16(a, b, kShift);
  } else {
    return reinterpret_cast<__m512i>(reinterpret_cast<Sums>(a) >> kShift);
  }
}

template <std::size_t T, std::size_t Rows>
[[gnu::always_inline]] inline void add_table(const std::uint16_t* const* rows,
                                             std::int32_t offset,
                                             const std::uint8_t* words,
                                             Sums (&sums)[Rows][kByteWords]) noexcept {
  __m512i codes[kByteWords];
#pragma GCC unroll 4
  for (std::size_t v = 0; v < kByteWords; ++v) codes[v] = subsets<T>(words + v * kWordBytes);
#pragma GCC unroll 4
  for (std::size_t r = 0; r < Rows; ++r) {
    const auto low = load<__m512i>(rows[r] + offset);
    const auto high = load<__m512i>(rows[r] + offset + kLanes);
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kByteWords; ++v) {
      sums[r][v] += reinterpret_cast<Sums>(_mm512_permutex2var_epi16(low, codes[v], high));
      // Else compilers look much up before they add, and keep it in memory.
      __asm__("" : "+v"(sums[r][v]));
    }
  }
}

template <std::size_t Rows>
inline void add_rows(const Tile<std::uint16_t>& tile,
                     const std::uint8_t* words,
                     const std::int32_t* starts,
                     std::size_t stride,
                     std::int32_t* out) noexcept {
  const std::uint16_t* rows[Rows];
#pragma GCC unroll 4
  for (std::size_t r = 0; r < Rows; ++r) rows[r] = tile.rows[r < tile.count ? r : 0];
  Sums sums[Rows][kByteWords] = {};
  const std::int32_t* offset = tile.offsets;
#pragma GCC unroll 1
  for (std::size_t t = 0; t < tile.groups; t += kTurnTables) {
    add_table<0>(rows, offset[0], words, sums);
    add_table<1>(rows, offset[1], words, sums);
    add_table<2>(rows, offset[2], words, sums);
    add_table<3>(rows, offset[3], words, sums);
    add_table<4>(rows, offset[4], words, sums);
    add_table<5>(rows, offset[5], words, sums);
    add_table<6>(rows, offset[6], words, sums);
    add_table<7>(rows, offset[7], words, sums);
    offset += kTurnTables;
    words += kTurnBytes;
  }
  alignas(kWordBytes) std::uint16_t found[Rows][kByteOutputs];
#pragma GCC unroll 4
  for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kByteWords; ++v) store(found[r] + v * kLanes, sums[r][v]);
  }
#pragma GCC unroll 1
  for (std::size_t r = 0; r < tile.count; ++r) {
    std::int32_t* to = out + r * stride;
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kByteOutputs; i += kLanes, to += kLanes) {
      const auto pairs = load<Wide>(found[r] + i);
      auto low = Wide{} + static_cast<std::uint32_t>(starts == nullptr ? 0 : starts[r]);
      Wide high = low;
      if (starts == nullptr) {
        low = load<Wide>(to);
        high = load<Wide>(to + kLanes / 2);
      }
      store(to, low + (pairs << 16 >> 15));
      store(to + kLanes / 2, high + (pairs >> 16 << 1));
    }
  }
}

void look_up(const Tile<std::uint16_t>& tile,
             const std::uint8_t* words,
             const std::int32_t* starts,
             std::size_t stride,
             std::int32_t* out) noexcept {
  if (tile.count == kByteRows) return add_rows<kByteRows>(tile, words, starts, stride, out);
  add_rows<kByteRows - 1>(tile, words, starts, stride, out);
}

}  // namespace

const KernelSet& avx512vbmi2_kernels() noexcept {
  static const KernelSet kSet = [] {
    KernelSet set = avx512vnni_kernels();
    set.name = "avx512vbmi2";
    set.make_byte_tables = make_tables;
    set.look_up_bytes = look_up;
    return set;
  }();
  return kSet;
}

}  // namespace lastbit
