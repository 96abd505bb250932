#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace lastbit {

// Exponentials in float32 that compilers make vector code of: no branches, no calls, and no
// comparisons of floats, which might trap and therefore become branches.

/// The smaller and the larger of two floats that are not negative. The order of such floats is that
/// of their bits.
[[gnu::always_inline]] inline float smaller(float a, float b) noexcept {
  return std::bit_cast<float>(
      std::min(std::bit_cast<std::int32_t>(a), std::bit_cast<std::int32_t>(b)));
}
[[gnu::always_inline]] inline float larger(float a, float b) noexcept {
  return std::bit_cast<float>(
      std::max(std::bit_cast<std::int32_t>(a), std::bit_cast<std::int32_t>(b)));
}

/// exp(-y) - 1 for y >= 0, also where y is near 0, to about 3 units in the last place; -1 from 87
/// on.
[[gnu::always_inline]] inline float expm1_of_minus(float y) noexcept {
  constexpr float kLog2E = 1.44269504F;
  // log(2) in two parts; products of the first with whole numbers up to 128 are exact.
  constexpr float kLn2High = 0.693359375F;
  constexpr float kLn2Low = -2.12194440e-4F;
  // Adding 1.5 * 2^23 rounds to a whole number, which then lies in the low bits.
  constexpr float kRound = 12582912.0F;
  const float x = -smaller(y, 87.0F);
  const float shifted = x * kLog2E + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * kLn2High) - n * kLn2Low;  // |r| <= log(2)/2
  // Taylor's series of (exp(r) - 1) / r; the first term left out is below 1.5e-8 of the sum.
  float p = 1.0F / 5040.0F;
  p = p * r + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  const auto power = static_cast<std::uint32_t>(static_cast<std::int32_t>(n) + 127) << 23U;
  const auto scale = std::bit_cast<float>(power);  // 2^n
  return scale * (p * r) + (scale - 1.0F);
}

/// exp(-y) for y >= 0, to about 2^-23; 0 from where that is nothing beside 1.
[[gnu::always_inline]] inline float exp_of_minus(float y) noexcept {
  return expm1_of_minus(y) + 1.0F;
}

/// 2^-y for y >= 0, to about 2^-23 of it, exactly 1 at 0; exactly 0 from 127 on, and below 2^-125
/// just before. For where expm1_of_minus() would do more than is needed.
[[gnu::always_inline]] inline float exp2_of_minus(float y) noexcept {
  constexpr float kRound = 12582912.0F;  // as above
  const float x = -smaller(y, 127.0F);
  const float shifted = x + kRound;
  const float r = x - (shifted - kRound);  // |r| <= 1/2
  // (2^r - 1) / r, fitted to have the least largest error, 2^-26 of 2^r.
  float p = 1.54697322e-4F;
  p = p * r + 1.34100008e-3F;
  p = p * r + 9.61803086e-3F;
  p = p * r + 5.55029735e-2F;
  p = p * r + 0.240226507F;
  p = p * r + 0.693147242F;
  p = p * r + 1.0F;
  // At 127 the exponent of 1 goes down to 0, with which nothing is left.
  const auto power = std::bit_cast<std::uint32_t>(shifted) << 23U;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(p) + power);
}

/// tanh(x), any x, to a few units in the last place; an odd function to the bit.
[[gnu::always_inline]] inline float tanh_of(float x) noexcept {
  const float e = -expm1_of_minus(2.0F * std::abs(x));
  return std::copysign(e / (2.0F - e), x);
}

}  // namespace lastbit
