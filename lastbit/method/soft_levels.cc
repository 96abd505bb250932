#include "lastbit/method/soft_levels.h"

#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <utility>

#include <ATen/Parallel.h>

#include "lastbit/base/threads.h"
#include "lastbit/base/vectorize.h"
#include "lastbit/method/exponential.h"

namespace lastbit {
namespace {

// One simple loop after the other over a block is what compilers make vector code of.
constexpr std::int64_t kBlock = 512;

// Far outside every hull; its product with a level is finite.
constexpr float kFar = 1e30F;

// In units of the scale. A scale of 0 gives a number that is far away, maybe infinite, and 0 once
// it is multiplied again.
[[gnu::always_inline]] inline float unit(float latent, float scale, float stretch) {
  return latent * stretch / larger(scale, FLT_MIN);
}

LASTBIT_VECTORIZE void tanh_binary(const float* __restrict latent,
                                   const float* __restrict scale,
                                   float beta,
                                   float stretch,
                                   float* __restrict seen,
                                   std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    seen[i] = scale[i] * tanh_of(beta * unit(latent[i], scale[i], stretch));
  }
}

LASTBIT_VECTORIZE void tanh_ternary(const float* __restrict latent,
                                    const float* __restrict scale,
                                    float beta,
                                    float stretch,
                                    float* __restrict seen,
                                    std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float x = unit(latent[i], scale[i], stretch);
    const float sum = tanh_of(beta * (x + 0.5F)) + tanh_of(beta * (x - 0.5F));
    seen[i] = 0.5F * scale[i] * sum;
  }
}

LASTBIT_VECTORIZE void tanh_binary_chain(const float* __restrict latent,
                                         const float* __restrict scale,
                                         float beta,
                                         float stretch,
                                         float* __restrict gradient,
                                         std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float t = tanh_of(beta * unit(latent[i], scale[i], stretch));
    gradient[i] *= beta * stretch * (1.0F - t * t);
  }
}

LASTBIT_VECTORIZE void tanh_ternary_chain(const float* __restrict latent,
                                          const float* __restrict scale,
                                          float beta,
                                          float stretch,
                                          float* __restrict gradient,
                                          std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float x = unit(latent[i], scale[i], stretch);
    const float up = tanh_of(beta * (x + 0.5F));
    const float down = tanh_of(beta * (x - 0.5F));
    gradient[i] *= 0.5F * beta * stretch * ((1.0F - up * up) + (1.0F - down * down));
  }
}

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
                                       float factor,
                                       float stretch,
                                       float* __restrict seen,
                                       std::int64_t count) {
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
                                             float factor,
                                             float stretch,
                                             float* __restrict gradient,
                                             std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const Three u = softmax_of_three(std::abs(unit(latent[i], scale[i], stretch)), factor);
    const float total = u.zero + u.outer + u.other;
    const float products = u.zero * (u.outer + u.other) + 4.0F * u.outer * u.other;
    gradient[i] *= factor * stretch * (products / (total * total));
  }
}

// Moments of the levels under the softmax, for a block.
struct Moments {
  std::array<float, kBlock> total;
  std::array<float, kBlock> mean;
  std::array<float, kBlock> square;
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
                                       Moments& moments,
                                       std::int64_t count) {
  std::array<float, kBlock> x;        // NOLINT(cppcoreguidelines-pro-type-member-init)
  std::array<float, kBlock> least;    // NOLINT(cppcoreguidelines-pro-type-member-init)
  std::array<float, kBlock> nearest;  // NOLINT(cppcoreguidelines-pro-type-member-init)
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
                                 const Moments& moments,
                                 float* __restrict seen,
                                 std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    seen[i] = scale[i] * (moments.mean[i] / moments.total[i]);
  }
}

LASTBIT_VECTORIZE void take_slope(const Moments& moments,
                                  float factor,
                                  float* __restrict gradient,
                                  std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float mean = moments.mean[i] / moments.total[i];
    gradient[i] *= factor * std::max(moments.square[i] / moments.total[i] - mean * mean, 0.0F);
  }
}

// Ties as in Codebook::nearest: to the level of larger magnitude, and to + between -a and +a.
LASTBIT_VECTORIZE void nearest_level(const float* __restrict latent,
                                     const float* __restrict scale,
                                     const float* __restrict levels,
                                     std::size_t level_count,
                                     float stretch,
                                     float* __restrict seen,
                                     std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) seen[i] = levels[0] * scale[i];
  for (std::size_t l = 1; l < level_count; ++l) {
    const float q = levels[l];
    const float middle = 0.5F * (levels[l - 1] + q);
    const float least = middle < 0.0F ? std::nextafter(middle, 0.0F) : middle;
    for (std::int64_t i = 0; i < count; ++i) {
      const float x = unit(latent[i], scale[i], stretch);
      seen[i] = x >= least ? q * scale[i] : seen[i];
    }
  }
}

// Calls body(begin, size) on runs of weights, on as many threads as ATen has where they are worth
// starting. Runs begin at whole blocks, so that each weight is at the same place of its loop, and
// has the same bits, for any number of threads.
template <typename Body>
void for_each_part(std::int64_t count, const Body& body) {
  constexpr std::int64_t kManyWeights = std::int64_t{1} << 17U;
  const auto blocks = static_cast<std::size_t>((count + kBlock - 1) / kBlock);
  const int threads = count < kManyWeights ? 1 : at::get_num_threads();
  parallel_for(blocks, threads, [&](std::size_t begin, std::size_t end) {
    const std::int64_t first = static_cast<std::int64_t>(begin) * kBlock;
    body(first, std::min(static_cast<std::int64_t>(end) * kBlock, count) - first);
  });
}

// The same for blocks, with room for their moments.
template <typename Body>
void for_each_block(std::int64_t count, const Body& body) {
  for_each_part(count, [&](std::int64_t begin, std::int64_t size) {
    Moments moments;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    for (std::int64_t i = begin; i < begin + size; i += kBlock) {
      body(i, std::min(kBlock, begin + size - i), moments);
    }
  });
}

}  // namespace

SoftLevels::SoftLevels(Softness softness, const Codebook& levels)
    : levels_(levels.levels().begin(), levels.levels().end()),
      half_gap_(0.5 * (static_cast<double>(levels_.back()) - levels_.front()) /
                static_cast<double>(levels_.size() - 1)) {
  const bool binary = levels_ == std::vector<float>{-1.0F, 1.0F};
  const bool ternary = levels_ == std::vector<float>{-1.0F, 0.0F, 1.0F};
  switch (softness) {
    case Softness::kTanh:
      if (!binary && !ternary) throw std::logic_error("tanh is for -1, 1 and -1, 0, 1");
      form_ = binary ? Form::kTanhBinary : Form::kTanhTernary;
      break;
    case Softness::kSoftmax:
      form_ = binary ? Form::kTanhBinary : ternary ? Form::kSoftmaxTernary : Form::kSoftmax;
      break;
    case Softness::kHard:
      form_ = Form::kHard;
      break;
  }
}

double SoftLevels::logit_factor(double beta) const noexcept {
  return std::min(beta / (half_gap_ * half_gap_), static_cast<double>(FLT_MAX));
}

void SoftLevels::map(const torch::Tensor& latent,
                     const torch::Tensor& scale,
                     Sharpness sharpness,
                     torch::Tensor& seen) const {
  if (!latent.is_cpu()) {
    const torch::Tensor x =
        (latent * sharpness.stretch / scale.clamp_min(FLT_MIN)).clamp(-kFar, kFar);
    seen.copy_(scale * evaluate(x, sharpness.beta, nullptr));
    return;
  }
  const auto* v = latent.data_ptr<float>();
  const auto* a = scale.data_ptr<float>();
  auto* w = seen.data_ptr<float>();
  const auto beta = static_cast<float>(sharpness.beta);
  const auto factor = static_cast<float>(logit_factor(sharpness.beta));
  const auto stretch = static_cast<float>(std::min<double>(sharpness.stretch, FLT_MAX));
  const std::int64_t count = latent.numel();
  switch (form_) {
    case Form::kTanhBinary:
      for_each_part(count, [&](std::int64_t i, std::int64_t size) {
        tanh_binary(v + i, a + i, beta, stretch, w + i, size);
      });
      break;
    case Form::kTanhTernary:
      for_each_part(count, [&](std::int64_t i, std::int64_t size) {
        tanh_ternary(v + i, a + i, beta, stretch, w + i, size);
      });
      break;
    case Form::kSoftmaxTernary:
      for_each_part(count, [&](std::int64_t i, std::int64_t size) {
        softmax_ternary(v + i, a + i, factor, stretch, w + i, size);
      });
      break;
    case Form::kSoftmax:
      for_each_block(count, [&](std::int64_t i, std::int64_t size, Moments& moments) {
        softmax_moments(
            v + i, a + i, levels_.data(), levels_.size(), factor, stretch, moments, size);
        take_mean(a + i, moments, w + i, size);
      });
      break;
    case Form::kHard:
      for_each_part(count, [&](std::int64_t i, std::int64_t size) {
        nearest_level(v + i, a + i, levels_.data(), levels_.size(), stretch, w + i, size);
      });
      break;
  }
}

void SoftLevels::chain(const torch::Tensor& latent,
                       const torch::Tensor& scale,
                       Sharpness sharpness,
                       torch::Tensor& gradient) const {
  if (!latent.is_cpu()) {
    const torch::Tensor x =
        (latent * sharpness.stretch / scale.clamp_min(FLT_MIN)).clamp(-kFar, kFar);
    torch::Tensor slope;
    evaluate(x, sharpness.beta, &slope);
    gradient.mul_(slope.mul_(sharpness.stretch));
    return;
  }
  const auto* v = latent.data_ptr<float>();
  const auto* a = scale.data_ptr<float>();
  auto* g = gradient.data_ptr<float>();
  const auto beta = static_cast<float>(sharpness.beta);
  const auto factor = static_cast<float>(logit_factor(sharpness.beta));
  const auto stretch = static_cast<float>(std::min<double>(sharpness.stretch, FLT_MAX));
  const std::int64_t count = latent.numel();
  switch (form_) {
    case Form::kTanhBinary:
      for_each_part(count, [&](std::int64_t i, std::int64_t size) {
        tanh_binary_chain(v + i, a + i, beta, stretch, g + i, size);
      });
      break;
    case Form::kTanhTernary:
      for_each_part(count, [&](std::int64_t i, std::int64_t size) {
        tanh_ternary_chain(v + i, a + i, beta, stretch, g + i, size);
      });
      break;
    case Form::kSoftmaxTernary:
      for_each_part(count, [&](std::int64_t i, std::int64_t size) {
        softmax_ternary_chain(v + i, a + i, factor, stretch, g + i, size);
      });
      break;
    case Form::kSoftmax:
      for_each_block(count, [&](std::int64_t i, std::int64_t size, Moments& moments) {
        softmax_moments(
            v + i, a + i, levels_.data(), levels_.size(), factor, stretch, moments, size);
        take_slope(moments, factor * stretch, g + i, size);
      });
      break;
    case Form::kHard:
      throw std::logic_error("hard rounding has no slope");
  }
}

torch::Tensor SoftLevels::evaluate(const torch::Tensor& x,
                                   double beta,
                                   torch::Tensor* slope) const {
  if (form_ == Form::kTanhBinary) {
    const torch::Tensor t = torch::tanh(beta * x);
    if (slope != nullptr) *slope = beta * (1.0 - t * t);
    return t;
  }
  if (form_ == Form::kTanhTernary) {
    const torch::Tensor up = torch::tanh(beta * (x + 0.5));
    const torch::Tensor down = torch::tanh(beta * (x - 0.5));
    if (slope != nullptr) *slope = 0.5 * beta * ((1.0 - up * up) + (1.0 - down * down));
    return 0.5 * (up + down);
  }
  const torch::Tensor levels = torch::tensor(levels_).to(x.device());
  if (form_ == Form::kHard) {
    torch::Tensor result = torch::full_like(x, levels_[0]);
    for (std::size_t l = 1; l < levels_.size(); ++l) {
      const float middle = 0.5F * (levels_[l - 1] + levels_[l]);
      result.masked_fill_(middle < 0.0F ? x > middle : x >= middle, levels_[l]);
    }
    return result;
  }
  const torch::Tensor q = levels.unsqueeze(1);  // (levels, 1)
  const torch::Tensor energy = q * (0.5 * q - x.unsqueeze(0));
  const double factor = logit_factor(beta);
  const torch::Tensor u = torch::softmax(-factor * (energy - energy.amin(0)), 0);
  torch::Tensor mean = (q * u).sum(0);
  if (slope != nullptr) *slope = factor * ((q * q * u).sum(0) - mean * mean).clamp_min(0.0);
  return mean;
}

}  // namespace lastbit
