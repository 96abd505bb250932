#include "lastbit/quant/pools.h"

#include <algorithm>
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

// A sum of that many floats, and the subtraction before it, is off by at most as many roundings of
// 2^-24, and one: less than Pool::kError.
constexpr std::size_t kRows = 60;

LASTBIT_VECTORIZE void add_larger(const float* __restrict magnitudes,
                                  std::size_t rows,
                                  const float* __restrict thresholds,
                                  float origin,
                                  double* __restrict sums) {
  Row lanes[Pool::kThresholds]{};  // NOLINT(*-avoid-c-arrays): std::array drops attributes
  for (std::size_t i = 0; i < rows; ++i) {
    const Row row = *reinterpret_cast<const Row*>(magnitudes + i * Pool::kRow);
    for (std::size_t k = 0; k < Pool::kThresholds; ++k) {
      const Row least = Row{} + thresholds[k];
      lanes[k] += (row > least ? row : least) - origin;
    }
  }
  for (std::size_t k = 0; k < Pool::kThresholds; ++k) {
    std::array<double, 4> sum{};
    for (std::size_t lane = 0; lane < Pool::kRow; ++lane) sum[lane % 4] += lanes[k][lane];
    sums[k] += (sum[0] + sum[1]) + (sum[2] + sum[3]);
  }
}

// Lanes are fixed, so that sums are the same for every width of vector.
LASTBIT_VECTORIZE void add_above(const float* __restrict magnitudes,
                                 std::size_t rows,
                                 float threshold,
                                 double* __restrict sum,
                                 double* __restrict count) {
  HalfRow sums[2]{};  // NOLINT(*-avoid-c-arrays): likewise
  Counts counts{};
  for (std::size_t i = 0; i < rows; ++i) {
    const Row row = *reinterpret_cast<const Row*>(magnitudes + i * Pool::kRow);
    const Counts wanted = row > (Row{} + threshold);
    counts -= wanted;
    const Row kept = wanted ? row : Row{};
    HalfFloats halves[2];  // NOLINT(*-avoid-c-arrays)
    std::memcpy(halves, &kept, sizeof(kept));
    sums[0] += __builtin_convertvector(halves[0], HalfRow);
    sums[1] += __builtin_convertvector(halves[1], HalfRow);
  }
  for (std::size_t lane = 0; lane < Pool::kRow; ++lane) {
    *sum += sums[lane / 8][lane % 8];
    *count += counts[lane];
  }
}

#ifdef LASTBIT_COMPRESS
[[gnu::target("avx512f")]] float* compress(const float* weights,
                                           std::size_t rows,
                                           const Range& range,
                                           float* end) {
  const __m512i magnitude = _mm512_set1_epi32(0x7FFFFFFF);
  const __m512i first = _mm512_set1_epi32(static_cast<int>(range.first));
  const __m512i width = _mm512_set1_epi32(static_cast<int>(range.width));
  for (std::size_t i = 0; i < rows; ++i) {
    const __m512i bits =
        _mm512_and_si512(_mm512_loadu_si512(weights + i * Pool::kRow), magnitude);
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

Bucket Pool::above(float threshold) const noexcept {
  Bucket all;
  add_above(first_, padded() / kRow, threshold, &all.sum, &all.count);
  return all;
}

std::array<double, Pool::kThresholds> Pool::sums_of_larger(const Thresholds& thresholds,
                                                           float origin) const noexcept {
  std::array<double, kThresholds> sums{};
  const std::size_t rows = padded() / kRow;
  for (std::size_t row = 0; row < rows; row += kRows) {
    add_larger(first_ + row * kRow,
               std::min(kRows, rows - row),
               thresholds.data(),
               origin,
               sums.data());
  }
  return sums;
}

}  // namespace lastbit
