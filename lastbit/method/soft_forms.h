#pragma once

#include <cfloat>
#include <cstddef>
#include <cstdint>
#include <span>

#include <torch/types.h>

#include "lastbit/method/exponential.h"

namespace lastbit {

/// What a form of SoftLevels is told: the levels, and how sharply numbers are drawn to them.
struct SoftShape {
  std::span<const float> levels;
  double beta;
  double factor;   ///< of a softmax, beta / h^2; a float32 holds it
  double stretch;  ///< a float32 holds it
};

/// Far outside every hull; its product with a level is finite.
inline constexpr float kFar = 1e30F;

/// A latent weight in units of its scale. A scale of 0 gives a number that is far away, maybe
/// infinite, and 0 once it is multiplied again.
[[gnu::always_inline]] inline float unit(float latent, float scale, float stretch) {
  return latent * stretch / larger(scale, FLT_MIN);
}

/// Runs begin at multiples of this many weights.
inline constexpr std::int64_t kSoftBlock = 512;

/// Elementwise over float32 on the CPU, `out` in memory of its own.
using SoftPass = void(const float* latent,
                      const float* scale,
                      const SoftShape& shape,
                      float* out,
                      std::int64_t count);

/// One map P, in its ways to be computed.
struct SoftForm {
  SoftPass* map = nullptr;    ///< Writes a P(v / a) to `out`.
  SoftPass* chain = nullptr;  ///< Multiplies `out` by dw/dv; null where there is no slope.
  /// P(x), and where `slope` is given also dP/dx, by tensor operations on any device.
  torch::Tensor (*evaluate)(const torch::Tensor& x,
                            const SoftShape& shape,
                            torch::Tensor* slope) = nullptr;
};

SoftForm tanh_binary_form() noexcept;
SoftForm tanh_ternary_form() noexcept;
SoftForm softmax_ternary_form() noexcept;
SoftForm softmax_form(std::size_t levels) noexcept;  ///< of that many, whichever
SoftForm hard_form() noexcept;                       ///< rounding to the nearest of any levels

// Parts of softmax_form().
SoftForm softmax_form_of_few(std::size_t levels) noexcept;  ///< null where they are not few
torch::Tensor softmax_of(const torch::Tensor& x, const SoftShape& shape, torch::Tensor* slope);

}  // namespace lastbit
