#include "lastbit/quant/pools.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "lastbit/base/vectorize.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define LASTBIT_COMPRESS
#endif

namespace lastbit {
namespace {

using Row = float __attribute__((vector_size(Pool::kRow * sizeof(float)), aligned(4), may_alias));
using Counts = std::int32_t __attribute__((vector_size(Pool::kRow * sizeof(std::int32_t))));
using HalfFloats = float __attribute__((vector_size(Pool::kRow / 2 * sizeof(float))));
using HalfRow = double __attribute__((vector_size(Pool::kRow / 2 * sizeof(double))));

// Returns the bits of the largest.
LASTBIT_VECTORIZE std::int32_t copy_magnitudes(const float* __restrict weights,
                                               std::size_t count,
                                               float* __restrict magnitudes) {
  std::int32_t largest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits =
        static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(weights[i]) & 0x7FFFFFFFU);
    largest = bits > largest ? bits : largest;
    magnitudes[i] = std::bit_cast<float>(bits);
  }
  return largest;
}

// A sum of that many floats, and the subtractions before it, is off by at most as many roundings of
// 2^-24, and two: less than Pool::kError.
constexpr std::size_t kRows = 60;

// NOLINTBEGIN(*-avoid-c-arrays): std::array drops attributes

// Vectors are not handed to functions, whose conventions depend on the instruction set.
LASTBIT_VECTORIZE void add_larger(const float* __restrict magnitudes,
                                  std::size_t rows,
                                  const float* __restrict thresholds,
                                  float origin,
                                  double* __restrict sums) {
  HalfRow all[Pool::kThresholds];
  for (HalfRow& one : all) one = HalfRow{};
  for (std::size_t block = 0; block < rows; block += kRows) {
    const std::size_t end = block + kRows < rows ? block + kRows : rows;
    Row lanes[Pool::kThresholds];
    for (Row& one : lanes) one = Row{};
    for (std::size_t i = block; i < end; ++i) {
      const Row row = *reinterpret_cast<const Row*>(magnitudes + i * Pool::kRow) - origin;
      for (std::size_t k = 0; k < Pool::kThresholds; ++k) {
        const Row least = Row{} + thresholds[k];
        lanes[k] += row > least ? row : least;
      }
    }
    for (std::size_t k = 0; k < Pool::kThresholds; ++k) {
      HalfFloats halves[2];
      std::memcpy(halves, &lanes[k], sizeof(Row));
      all[k] +=
          __builtin_convertvector(halves[0], HalfRow) + __builtin_convertvector(halves[1], HalfRow);
    }
  }
  for (std::size_t k = 0; k < Pool::kThresholds; ++k) {
    sums[k] = ((all[k][0] + all[k][1]) + (all[k][2] + all[k][3])) +
              ((all[k][4] + all[k][5]) + (all[k][6] + all[k][7]));
  }
}

LASTBIT_VECTORIZE void add_above(const float* __restrict magnitudes,
                                 std::size_t rows,
                                 float threshold,
                                 double* __restrict sum,
                                 double* __restrict count) {
  HalfRow low{};
  HalfRow high{};
  Counts counts{};
  for (std::size_t i = 0; i < rows; ++i) {
    const Row row = *reinterpret_cast<const Row*>(magnitudes + i * Pool::kRow);
    const Counts wanted = row > (Row{} + threshold);
    counts -= wanted;
    const Row kept = wanted ? row : Row{};
    HalfFloats halves[2];
    std::memcpy(halves, &kept, sizeof(Row));
    low += __builtin_convertvector(halves[0], HalfRow);
    high += __builtin_convertvector(halves[1], HalfRow);
  }
  low += high;
  *sum = ((low[0] + low[1]) + (low[2] + low[3])) + ((low[4] + low[5]) + (low[6] + low[7]));
  std::int32_t all = 0;
  for (std::size_t lane = 0; lane < Pool::kRow; ++lane) all += counts[lane];
  *count = all;
}

// NOLINTEND(*-avoid-c-arrays)

#ifdef LASTBIT_COMPRESS
[[gnu::target("avx512f")]] float* compress(const float* weights,
                                           std::size_t rows,
                                           const Range& range,
                                           float* end) {
  const __m512i magnitude = _mm512_set1_epi32(0x7FFFFFFF);
  const __m512i first = _mm512_set1_epi32(static_cast<int>(range.first));
  const __m512i width = _mm512_set1_epi32(static_cast<int>(range.width));
  for (std::size_t i = 0; i < rows; ++i) {
    const __m512i bits = _mm512_and_si512(_mm512_loadu_si512(weights + i * Pool::kRow), magnitude);
    const __mmask16 wanted = _mm512_cmplt_epu32_mask(_mm512_sub_epi32(bits, first), width);
    _mm512_storeu_si512(end, _mm512_maskz_compress_epi32(wanted, bits));
    end += __builtin_popcount(wanted);
  }
  return end;
}
#endif

// Writes up to one row more than there are.
float* collect(std::span<const float> weights, const Range& range, float* end) {
#ifdef LASTBIT_COMPRESS
  if (__builtin_cpu_supports("avx512f") != 0) {
    const std::size_t rows = weights.size() / Pool::kRow;
    end = compress(weights.data(), rows, range, end);
    weights = weights.subspan(rows * Pool::kRow);
  }
#endif
  return extract(weights, std::span(&range, 1), end);
}

}  // namespace

Pool::Pool(std::span<const float> weights, const Range& range, float* memory) : first_(memory) {
  size_ = static_cast<std::size_t>(collect(weights, range, memory) - memory);
  std::fill(first_ + size_, first_ + padded(), 0.0F);
}

Pool::Pool(std::span<const float> weights, float* memory, float& largest)
    : first_(memory), size_(weights.size()) {
  largest = std::bit_cast<float>(copy_magnitudes(weights.data(), size_, memory));
  std::fill(first_ + size_, first_ + padded(), 0.0F);
}

Bucket Pool::above(float threshold) const noexcept {
  Bucket all;
  add_above(first_, padded() / kRow, threshold, &all.sum, &all.count);
  return all;
}

std::array<double, Pool::kThresholds> Pool::sums_of_larger(const Thresholds& offsets,
                                                           float origin) const noexcept {
  std::array<double, kThresholds> sums;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  add_larger(first_, padded() / kRow, offsets.data(), origin, sums.data());
  return sums;
}

}  // namespace lastbit
