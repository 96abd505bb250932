#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <vector>

#include "lastbit/base/vectorize.h"
#include "lastbit/method/exponential.h"
#include "lastbit/method/sent.h"
#include "lastbit/method/soft_forms.h"

namespace lastbit {
namespace {

// The softmax over -1, 0 and 1, with exponents of energies above the least.
struct Three {
  float outer;  // of the level 1 with the sign of x
  float zero;
  float other;
};

[[gnu::always_inline]] inline Three softmax_of_three(float size, float factor) {
  const float gap = size - 0.5F;
  const float next = exp_of_minus(factor * std::abs(gap));
  const float far = exp_of_minus(factor * (size + 0.5F));
  // 1 beyond 1/2, else 0
  const float beyond = 0.5F + std::copysign(0.5F, gap);
  const float within = 1.0F - beyond;
  const float zero = beyond * next + within;
  return {.outer = within * next + beyond, .zero = zero, .other = zero * far};
}

LASTBIT_VECTORIZE void softmax_ternary(const float* __restrict latent,
                                       const float* __restrict scale,
                                       const SoftShape& shape,
                                       float* __restrict seen,
                                       std::int64_t count) {
  const auto factor = static_cast<float>(shape.factor);
  const auto stretch = static_cast<float>(shape.stretch);
  for (std::int64_t i = 0; i < count; ++i) {
    const float x = unit(latent[i], scale[i], stretch);
    const Three u = softmax_of_three(std::abs(x), factor);
    const float mean = (u.outer - u.other) / (u.zero + u.outer + u.other);
    seen[i] = scale[i] * std::copysign(mean, x);
  }
}

// The derivative of a mean under a softmax is the variance; here without cancellation.
LASTBIT_VECTORIZE void softmax_ternary_chain(const float* __restrict latent,
                                             const float* __restrict scale,
                                             const SoftShape& shape,
                                             float* __restrict gradient,
                                             std::int64_t count) {
  const auto factor = static_cast<float>(shape.factor);
  const auto stretch = static_cast<float>(shape.stretch);
  for (std::int64_t i = 0; i < count; ++i) {
    const Three u = softmax_of_three(std::abs(unit(latent[i], scale[i], stretch)), factor);
    const float total = u.zero + u.outer + u.other;
    const float products = u.zero * (u.outer + u.other) + 4.0F * u.outer * u.other;
    gradient[i] *= factor * stretch * (products / (total * total));
  }
}

// Moments of the levels under the softmax, for a block. One simple loop after the other
// over a block is what compilers make vector code of.
struct BlockMoments {
  std::array<float, kSoftBlock> total;
  std::array<float, kSoftBlock> mean;
  std::array<float, kSoftBlock> square;
};

// u_l = exp(-factor (e_l - min e)) / total, e_l = q_l (q_l / 2 - x): differences of energies do not
// overflow. The nearest level has exp(0) whatever rounding makes of its energy, so that the total
// is at least 1.
LASTBIT_VECTORIZE void softmax_moments(const float* __restrict latent,
                                       const float* __restrict scale,
                                       const float* __restrict levels,
                                       std::size_t level_count,
                                       float factor,
                                       float stretch,
                                       BlockMoments& moments,
                                       std::int64_t count) {
  std::array<float, kSoftBlock> x;        // NOLINT(cppcoreguidelines-pro-type-member-init)
  std::array<float, kSoftBlock> least;    // NOLINT(cppcoreguidelines-pro-type-member-init)
  std::array<float, kSoftBlock> nearest;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  for (std::int64_t i = 0; i < count; ++i) {
    const float value = unit(latent[i], scale[i], stretch);
    x[i] = std::copysign(smaller(std::abs(value), kFar), value);
    least[i] = FLT_MAX;
    nearest[i] = levels[0];
    moments.total[i] = 0.0F;
    moments.mean[i] = 0.0F;
    moments.square[i] = 0.0F;
  }
  for (std::size_t l = 0; l < level_count; ++l) {
    const float q = levels[l];
    for (std::int64_t i = 0; i < count; ++i) {
      const float energy = q * (0.5F * q - x[i]);
      nearest[i] = energy < least[i] ? q : nearest[i];
      least[i] = energy < least[i] ? energy : least[i];
    }
  }
  for (std::size_t l = 0; l < level_count; ++l) {
    const float q = levels[l];
    for (std::int64_t i = 0; i < count; ++i) {
      const float energy = q * (0.5F * q - x[i]);
      const float u = q == nearest[i] ? 1.0F : exp_of_minus(factor * std::abs(energy - least[i]));
      moments.total[i] += u;
      moments.mean[i] += q * u;
      moments.square[i] += q * q * u;
    }
  }
}

LASTBIT_VECTORIZE void take_mean(const float* __restrict scale,
                                 const BlockMoments& moments,
                                 float* __restrict seen,
                                 std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    seen[i] = scale[i] * (moments.mean[i] / moments.total[i]);
  }
}

LASTBIT_VECTORIZE void take_slope(const BlockMoments& moments,
                                  float factor,
                                  float* __restrict gradient,
                                  std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float mean = moments.mean[i] / moments.total[i];
    gradient[i] *= factor * std::max(moments.square[i] / moments.total[i] - mean * mean, 0.0F);
  }
}

void softmax_many(const float* latent,
                  const float* scale,
                  const SoftShape& shape,
                  float* seen,
                  std::int64_t count) {
  BlockMoments moments;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  for (std::int64_t i = 0; i < count; i += kSoftBlock) {
    const std::int64_t size = std::min(kSoftBlock, count - i);
    softmax_moments(latent + i,
                    scale + i,
                    shape.levels.data(),
                    shape.levels.size(),
                    static_cast<float>(shape.factor),
                    static_cast<float>(shape.stretch),
                    moments,
                    size);
    take_mean(scale + i, moments, seen + i, size);
  }
}

void softmax_many_chain(const float* latent,
                        const float* scale,
                        const SoftShape& shape,
                        float* gradient,
                        std::int64_t count) {
  const auto factor = static_cast<float>(shape.factor);
  const auto stretch = static_cast<float>(shape.stretch);
  BlockMoments moments;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  for (std::int64_t i = 0; i < count; i += kSoftBlock) {
    const std::int64_t size = std::min(kSoftBlock, count - i);
    softmax_moments(latent + i,
                    scale + i,
                    shape.levels.data(),
                    shape.levels.size(),
                    factor,
                    stretch,
                    moments,
                    size);
    take_slope(moments, factor * stretch, gradient + i, size);
  }
}

}  // namespace

torch::Tensor softmax_of(const torch::Tensor& x, const SoftShape& shape, torch::Tensor* slope) {
  const torch::Tensor q = sent_to(x.device(), shape.levels).unsqueeze(1);  // (levels, 1)
  const torch::Tensor energy = q * (0.5 * q - x.unsqueeze(0));
  const torch::Tensor u = torch::softmax(-shape.factor * (energy - energy.amin(0)), 0);
  torch::Tensor mean = (q * u).sum(0);
  if (slope != nullptr) *slope = shape.factor * ((q * q * u).sum(0) - mean * mean).clamp_min(0.0);
  return mean;
}

SoftForm softmax_ternary_form() noexcept {
  return {softmax_ternary, softmax_ternary_chain, softmax_of};
}
SoftForm softmax_form(std::size_t levels) noexcept {
  const SoftForm few = softmax_form_of_few(levels);
  if (few.map != nullptr) return few;
  return {softmax_many, softmax_many_chain, softmax_of};
}

}  // namespace lastbit
