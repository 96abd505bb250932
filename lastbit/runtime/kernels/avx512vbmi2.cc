#include <cstdint>
#include <immintrin.h>

#include "lastbit/runtime/kernels/sets.h"

// Products of bytes and binary weights by vpermi2w, which looks up 32 sums of 16 bits in a table of
// 64: byte_lookup.h. As in the other files of one instruction set, nothing of the standard library
// is called.

#if defined(__clang__)
#pragma clang attribute push(                                                  \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vbmi2,avx2,fma"))), \
    apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vbmi2,avx2,fma")
#endif

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

// For the lower half of a table, two inputs at a time: their places among eight, and whether each
// is in the subset of a lane. The last two are the input that is in the upper half alone, and none.
struct Patterns {
  alignas(kWordBytes) std::uint8_t place[4][kWordBytes];
  alignas(kWordBytes) std::uint8_t member[3][kWordBytes];
  constexpr Patterns() noexcept : place(), member() {
    for (std::size_t i = 0; i < kWordBytes; ++i) {
      for (std::size_t p = 0; p < 3; ++p) {
        const std::size_t j = 2 * p + i % 2;
        place[p][i] = static_cast<std::uint8_t>(j);
        member[p][i] = static_cast<std::uint8_t>(j + 1 < kSubsetInputs ? i / 2 >> j & 1U : 0);
      }
      place[3][i] = i % 2 == 0 ? kSubsetInputs - 1 : 0x80;
    }
  }
};

inline __m512i pick(__m512i inputs, const __m512i& places) noexcept {
  return _mm512_shuffle_epi8(inputs, places);
}

// `inputs`: six bytes, and two that are not looked at, again and again.
inline void make_table(__m512i inputs,
                       const __m512i* place,
                       const __m512i* member,
                       std::uint16_t* table) noexcept {
  Sums low = reinterpret_cast<Sums>(_mm512_maddubs_epi16(pick(inputs, place[0]), member[0]));
  low += reinterpret_cast<Sums>(_mm512_maddubs_epi16(pick(inputs, place[1]), member[1]));
  low += reinterpret_cast<Sums>(_mm512_maddubs_epi16(pick(inputs, place[2]), member[2]));
  store(table, low);
  store(table + kLanes, low + reinterpret_cast<Sums>(pick(inputs, place[3])));
}

inline std::int32_t sum_of(const std::uint8_t* x, std::size_t count) noexcept {
  __m512i sums = {};
  for (std::size_t i = 0; i < count; i += kWordBytes) {
    const std::size_t rest = count - i;
    const __mmask64 mask = rest < kWordBytes ? (std::uint64_t{1} << rest) - 1 : ~std::uint64_t{0};
    sums += _mm512_sad_epu8(_mm512_maskz_loadu_epi8(mask, x + i), __m512i{});
  }
  std::int64_t total = 0;
  for (std::size_t lane = 0; lane < 8; ++lane) total += sums[lane];
  return static_cast<std::int32_t>(total);
}

void make_tables(const ByteTableRequest& request) noexcept {
  static constexpr Patterns kPatterns;
  __m512i place[4];
  __m512i member[3];
#pragma GCC unroll 4
  for (std::size_t p = 0; p < 4; ++p) place[p] = load<__m512i>(kPatterns.place[p]);
#pragma GCC unroll 3
  for (std::size_t p = 0; p < 3; ++p) member[p] = load<__m512i>(kPatterns.member[p]);
  std::uint16_t* to = request.tables;
  for (std::size_t pixel = 0; pixel < request.pixels; ++pixel) {
    const std::uint8_t* x = request.x + pixel * request.stride;
    request.sums[pixel] = sum_of(x, request.count);
    std::size_t rest = request.count;
    for (; rest >= sizeof(std::int64_t); rest -= kSubsetInputs) {
      std::int64_t inputs;
      __builtin_memcpy(&inputs, x, sizeof(inputs));
      make_table(_mm512_set1_epi64(inputs), place, member, to);
      x += kSubsetInputs;
      to += kSubsetSums;
    }
    // The last one or two, of which none must be read beyond.
    std::uint64_t inputs = 0;
    for (std::size_t j = 0; j < rest; ++j) inputs |= std::uint64_t{x[j]} << (8 * j);
    for (std::size_t j = 0; j < rest; j += kSubsetInputs, inputs >>= 8 * kSubsetInputs) {
      make_table(_mm512_set1_epi64(static_cast<std::int64_t>(inputs)), place, member, to);
      to += kSubsetSums;
    }
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
    auto low = load<__m512i>(rows[r] + offset);
    auto high = load<__m512i>(rows[r] + offset + kLanes);
    // Else compilers load them again for each word.
    __asm__("" : "+v"(low), "+v"(high));
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

#if defined(__clang__)
#pragma clang attribute pop
#endif
