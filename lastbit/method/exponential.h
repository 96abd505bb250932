#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace lastbit {

// Exponentials in float32 that compilers make vector code of: no branches, no calls. Both are
// correct to about 3 units in the last place.

/// exp(x) - 1, also where x is near 0. Outside [-87, 88], where it is next to -1 or to infinity,
/// the value at the bound.
[[gnu::always_inline]] inline float expm1_of(float x) noexcept {
  constexpr float kLog2E = 1.44269504F;
  // log(2) in two parts; products of the first with whole numbers up to 128 are exact.
  constexpr float kLn2High = 0.693359375F;
  constexpr float kLn2Low = -2.12194440e-4F;
  // Adding 1.5 * 2^23 rounds to a whole number, which then lies in the low bits.
  constexpr float kRound = 12582912.0F;
  x = std::min(std::max(x, -87.0F), 88.0F);
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

/// exp(x) for x <= 0; exp(-87), which is 1.6e-38, below -87.
[[gnu::always_inline]] inline float exp_below_one(float x) noexcept { return expm1_of(x) + 1.0F; }

/// tanh(x), any x; an odd function to the bit.
[[gnu::always_inline]] inline float tanh_of(float x) noexcept {
  const float e = expm1_of(-2.0F * std::abs(x));
  return std::copysign(e / (e + 2.0F), x);
}

}  // namespace lastbit
