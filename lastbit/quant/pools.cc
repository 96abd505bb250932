#include "lastbit/quant/pools.h"

#include <algorithm>
#include <bit>
#include <cmath>
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
using Bits = std::int32_t
    __attribute__((vector_size(Pool::kRow * sizeof(std::int32_t)), aligned(4), may_alias));
using Counts = std::int32_t __attribute__((vector_size(Pool::kRow * sizeof(std::int32_t))));
using HalfFloats = float __attribute__((vector_size(Pool::kRow / 2 * sizeof(float))));
using HalfRow = double __attribute__((vector_size(Pool::kRow / 2 * sizeof(double))));

// The first `rows` rows of magnitudes.
LASTBIT_VECTORIZE void copy_magnitudes(const float* __restrict weights,
                                       std::size_t rows,
                                       float* __restrict magnitudes,
                                       std::int32_t* __restrict largest,
                                       float* __restrict sum) {
  Bits most{};
  Row sums{};
  for (std::size_t i = 0; i < rows; ++i) {
    const Bits bits = *reinterpret_cast<const Bits*>(weights + i * Pool::kRow) & 0x7FFFFFFF;
    const Row row = reinterpret_cast<Row>(bits);
    most = bits > most ? bits : most;
    sums += row;
    *reinterpret_cast<Row*>(magnitudes + i * Pool::kRow) = row;
  }
  for (std::size_t lane = 0; lane < Pool::kRow; ++lane) {
    *largest = most[lane] > *largest ? most[lane] : *largest;
    *sum += sums[lane];
  }
}

// A sum of that many floats, over lanes too, and the subtractions before it, is off by at most as
// many roundings of 2^-24, and eight: Pool::kError.
constexpr std::size_t kRows = 120;

// NOLINTBEGIN(*-avoid-c-arrays): std::array drops attributes

// Vectors are not handed to functions, whose conventions depend on the instruction set.
LASTBIT_VECTORIZE void add_larger(const float* __restrict magnitudes,
                                  std::size_t rows,
                                  const float* __restrict thresholds,
                                  float origin,
                                  const float* next,
                                  std::size_t stride,
                                  double* __restrict sums) {
  static_assert(Pool::kThresholds == 8 && Pool::kRow == 16);
  for (std::size_t block = 0; block < rows; block += kRows) {
    const std::size_t end = block + kRows < rows ? block + kRows : rows;
    Row lanes[Pool::kThresholds];
    for (Row& one : lanes) one = Row{};
    for (std::size_t i = block; i < end; ++i) {
      const Row row = *reinterpret_cast<const Row*>(magnitudes + i * Pool::kRow) - origin;
      __builtin_prefetch(next + i * stride, 0, 2);
      const Bits bits = reinterpret_cast<Bits>(row);
      for (std::size_t k = 0; k < Pool::kThresholds; ++k) {
        // Of floats, one of them not negative, the larger has the larger bits. Comparisons of
        // integers leave the units that add free.
        const Bits least = reinterpret_cast<Bits>(Row{} + thresholds[k]);
        lanes[k] += reinterpret_cast<Row>(bits > least ? bits : least);
      }
    }
    // Lanes of one threshold are added to their neighbours, while two vectors become one.
    Row pairs[4];
    for (std::size_t k = 0; k < 4; ++k) {
      const Row a = lanes[2 * k];
      const Row b = lanes[2 * k + 1];
      pairs[k] =
          __builtin_shufflevector(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30) +
          __builtin_shufflevector(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
    }
    Row fours[2];
    for (std::size_t k = 0; k < 2; ++k) {
      const Row a = pairs[2 * k];
      const Row b = pairs[2 * k + 1];
      fours[k] =
          __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
          __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    }
    const Row a = fours[0];
    const Row b = fours[1];
    const Row eights =
        __builtin_shufflevector(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27) +
        __builtin_shufflevector(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
    for (std::size_t k = 0; k < Pool::kThresholds; ++k) {
      sums[k] += static_cast<double>(eights[k] + eights[k + Pool::kThresholds]);
    }
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

// The same of magnitudes, and sums up those beyond the range in the order of add_above().
[[gnu::target("avx512f,avx512dq")]] float* compress_below(
    const float* magnitudes, std::size_t rows, const Range& range, float* end, Bucket& above) {
  const __m512i first = _mm512_set1_epi32(static_cast<int>(range.first));
  const __m512i width = _mm512_set1_epi32(static_cast<int>(range.width));
  const __m512i most = _mm512_set1_epi32(static_cast<int>(range.first + range.width - 1));
  __m512d low = _mm512_setzero_pd();
  __m512d high = _mm512_setzero_pd();
  int count = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    const __m512 row = _mm512_loadu_ps(magnitudes + i * Pool::kRow);
    const __m512i bits = _mm512_castps_si512(row);
    const __mmask16 beyond = _mm512_cmpgt_epi32_mask(bits, most);
    const __mmask16 wanted = _mm512_cmplt_epu32_mask(_mm512_sub_epi32(bits, first), width);
    const __m512d front = _mm512_cvtps_pd(_mm512_castps512_ps256(row));
    const __m512d back = _mm512_cvtps_pd(_mm512_extractf32x8_ps(row, 1));
    low = _mm512_mask_add_pd(low, static_cast<__mmask8>(beyond), low, front);
    high = _mm512_mask_add_pd(high, static_cast<__mmask8>(beyond >> 8), high, back);
    count += __builtin_popcount(beyond);
    _mm512_storeu_si512(end, _mm512_maskz_compress_epi32(wanted, bits));
    end += __builtin_popcount(wanted);
  }
  low = _mm512_add_pd(low, high);
  above.sum = ((low[0] + low[1]) + (low[2] + low[3])) + ((low[4] + low[5]) + (low[6] + low[7]));
  above.count = count;
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

Pool::Pool(const Pool& other, const Range& range, float* memory, Bucket& above) : first_(memory) {
#ifdef LASTBIT_COMPRESS
  if (__builtin_cpu_supports("avx512dq") != 0) {
    float* const end = compress_below(other.first_, other.padded() / kRow, range, memory, above);
    size_ = static_cast<std::size_t>(end - memory);
    std::fill(first_ + size_, first_ + padded(), 0.0F);
    return;
  }
#endif
  above = other.above(std::bit_cast<float>(range.first + range.width - 1));
  *this = Pool(other.magnitudes(), range, memory);
}

Pool::Pool(std::span<const float> weights, float* memory, Magnitudes& known)
    : first_(memory), size_(weights.size()) {
  std::int32_t largest = 0;
  float sum = 0.0F;
  const std::size_t rows = size_ / kRow;
  copy_magnitudes(weights.data(), rows, memory, &largest, &sum);
  for (std::size_t i = rows * kRow; i < size_; ++i) {
    memory[i] = std::abs(weights[i]);
    largest = std::max(largest, std::bit_cast<std::int32_t>(memory[i]));
    sum += memory[i];
  }
  known = {std::bit_cast<float>(largest), sum};
  std::fill(first_ + size_, first_ + padded(), 0.0F);
}

Bucket Pool::above(float threshold) const noexcept {
  Bucket all;
#ifdef LASTBIT_COMPRESS
  if (__builtin_cpu_supports("avx512dq") != 0) {
    std::array<float, kRow> unused;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    compress_below(first_, padded() / kRow, {bits_of(threshold) + 1, 0}, unused.data(), all);
    return all;
  }
#endif
  add_above(first_, padded() / kRow, threshold, &all.sum, &all.count);
  return all;
}

std::array<double, Pool::kThresholds> Pool::sums_of_larger(const Thresholds& offsets,
                                                           float origin,
                                                           const float* next,
                                                           std::size_t stride) const noexcept {
  std::array<double, kThresholds> sums{};
  if (next == nullptr) next = first_;
  add_larger(first_, padded() / kRow, offsets.data(), origin, next, stride, sums.data());
  return sums;
}

}  // namespace lastbit
