#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <utility>

#include "lastbit/base/vectorize.h"
#include "lastbit/method/exponential.h"
#include "lastbit/method/soft_forms.h"

namespace lastbit {
namespace {

// Moments of the levels under the softmax.
struct Moments {
  float total = 0.0F;
  float mean = 0.0F;
  float square = 0.0F;
};

// Calls body(0), ..., body(count - 1), written out one after the other.
template <std::size_t... kIndex>
[[gnu::always_inline]] inline void each(std::index_sequence<kIndex...> /*of*/, const auto& body) {
  (body(kIndex), ...);
}

// u_l = 2^(-factor (e_l - min e)) / total, e_l = q_l (q_l / 2 - x): differences of energies do not
// overflow, and that of the nearest level is exactly 0, so that the total is at least 1. For a
// number of levels that is known, all stays in registers.
template <std::size_t kLevels>
[[gnu::always_inline]] inline Moments moments_of(float value,
                                                 const std::array<float, kLevels>& levels,
                                                 float factor) {
  constexpr auto kEach = std::make_index_sequence<kLevels>();
  const float x = std::copysign(smaller(std::abs(value), kFar), value);
  std::array<float, kLevels> energy;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  float least = FLT_MAX;
  each(
      kEach, [&](std::size_t l) __attribute__((always_inline)) {
        energy[l] = levels[l] * (0.5F * levels[l] - x);
        least = energy[l] < least ? energy[l] : least;
      });
  Moments moments;
  each(
      kEach, [&](std::size_t l) __attribute__((always_inline)) {
        const float u = exp2_of_minus(factor * (energy[l] - least));
        moments.total += u;
        moments.mean += levels[l] * u;
        moments.square += levels[l] * (levels[l] * u);
      });
  return moments;
}

// The mean, or its slope: the derivative of a mean under a softmax is the variance.
template <bool kSlope>
[[gnu::always_inline]] inline void finish(const Moments& moments,
                                          float scale,
                                          float factor,
                                          float& out) {
  if constexpr (kSlope) {
    const float products = moments.square * moments.total - moments.mean * moments.mean;
    out *= factor * (std::max(products, 0.0F) / (moments.total * moments.total));
  } else {
    out = scale * (moments.mean / moments.total);
  }
}

template <bool kSlope, std::size_t kLevels>
[[gnu::always_inline]] inline void softmax_of_few(const float* __restrict latent,
                                                  const float* __restrict scale,
                                                  const SoftShape& shape,
                                                  float* __restrict out,
                                                  std::int64_t count) {
  const auto stretch = static_cast<float>(shape.stretch);
  const auto factor = static_cast<float>(shape.factor);
  const auto logit_factor =
      static_cast<float>(std::min<double>(shape.factor * std::numbers::log2e, FLT_MAX));
  std::array<float, kLevels> levels;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  std::copy_n(shape.levels.begin(), kLevels, levels.begin());
  for (std::int64_t i = 0; i < count; ++i) {
    const float x = unit(latent[i], scale[i], stretch);
    finish<kSlope>(moments_of(x, levels, logit_factor), scale[i], factor * stretch, out[i]);
  }
}

// The numbers of levels of shift:1 to shift:3, and of uniform:2.
template <bool kSlope>
[[gnu::always_inline]] inline void softmax_of_some(const float* __restrict latent,
                                                   const float* __restrict scale,
                                                   const SoftShape& shape,
                                                   float* __restrict out,
                                                   std::int64_t count) {
  switch (shape.levels.size()) {
    case 4:
      return softmax_of_few<kSlope, 4>(latent, scale, shape, out, count);
    case 5:
      return softmax_of_few<kSlope, 5>(latent, scale, shape, out, count);
    case 7:
      return softmax_of_few<kSlope, 7>(latent, scale, shape, out, count);
    default:
      return softmax_of_few<kSlope, 9>(latent, scale, shape, out, count);
  }
}

LASTBIT_VECTORIZE void softmax_few(const float* __restrict latent,
                                   const float* __restrict scale,
                                   const SoftShape& shape,
                                   float* __restrict seen,
                                   std::int64_t count) {
  softmax_of_some<false>(latent, scale, shape, seen, count);
}

LASTBIT_VECTORIZE void softmax_few_chain(const float* __restrict latent,
                                         const float* __restrict scale,
                                         const SoftShape& shape,
                                         float* __restrict gradient,
                                         std::int64_t count) {
  softmax_of_some<true>(latent, scale, shape, gradient, count);
}

}  // namespace

SoftForm softmax_form_of_few(std::size_t levels) noexcept {
  for (const std::size_t few : {4, 5, 7, 9}) {
    if (levels == few) return {softmax_few, softmax_few_chain, softmax_of};
  }
  return {};
}

}  // namespace lastbit
