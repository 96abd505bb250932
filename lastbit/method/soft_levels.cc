#include "lastbit/method/soft_levels.h"

#include <algorithm>
#include <cfloat>
#include <cstddef>
#include <stdexcept>

#include <ATen/Parallel.h>

#include "lastbit/base/threads.h"

namespace lastbit {
namespace {

SoftForm form_of(Softness softness, const std::vector<float>& levels) {
  const bool binary = levels == std::vector<float>{-1.0F, 1.0F};
  const bool ternary = levels == std::vector<float>{-1.0F, 0.0F, 1.0F};
  switch (softness) {
    case Softness::kTanh:
      if (!binary && !ternary) throw std::logic_error("tanh is for -1, 1 and -1, 0, 1");
      return binary ? tanh_binary_form() : tanh_ternary_form();
    case Softness::kSoftmax:
      return binary    ? tanh_binary_form()
             : ternary ? softmax_ternary_form()
                       : softmax_form(levels.size());
    case Softness::kHard:
      break;
  }
  return hard_form();
}

torch::Tensor units(const torch::Tensor& latent, const torch::Tensor& scale, double stretch) {
  return (latent * stretch / scale.clamp_min(FLT_MIN)).clamp(-kFar, kFar);
}

// Calls `pass` on runs of weights, on as many threads as ATen has where they are worth starting.
// Runs begin at whole blocks, so that each weight is at the same place of its loop, and has the
// same bits, for any number of threads.
void run(SoftPass* pass,
         const torch::Tensor& latent,
         const torch::Tensor& scale,
         const SoftShape& shape,
         torch::Tensor& out) {
  constexpr std::int64_t kManyWeights = std::int64_t{1} << 17U;
  const std::int64_t count = latent.numel();
  const auto blocks = static_cast<std::size_t>((count + kSoftBlock - 1) / kSoftBlock);
  const int threads = count < kManyWeights ? 1 : at::get_num_threads();
  const auto* v = latent.data_ptr<float>();
  const auto* a = scale.data_ptr<float>();
  auto* to = out.data_ptr<float>();
  parallel_for(blocks, threads, [&](std::size_t begin, std::size_t end) {
    const std::int64_t first = static_cast<std::int64_t>(begin) * kSoftBlock;
    const std::int64_t size = std::min(static_cast<std::int64_t>(end) * kSoftBlock, count) - first;
    pass(v + first, a + first, shape, to + first, size);
  });
}

}  // namespace

SoftLevels::SoftLevels(Softness softness, const Codebook& levels)
    : levels_(levels.levels().begin(), levels.levels().end()),
      form_(form_of(softness, levels_)),
      half_gap_(0.5 * (static_cast<double>(levels_.back()) - levels_.front()) /
                static_cast<double>(levels_.size() - 1)) {}

SoftShape SoftLevels::shape(Sharpness sharpness) const noexcept {
  return {.levels = levels_,
          .beta = sharpness.beta,
          .factor = std::min<double>(sharpness.beta / (half_gap_ * half_gap_), FLT_MAX),
          .stretch = std::min<double>(sharpness.stretch, FLT_MAX)};
}

void SoftLevels::map(const torch::Tensor& latent,
                     const torch::Tensor& scale,
                     Sharpness sharpness,
                     torch::Tensor& seen) const {
  const SoftShape sharp = shape(sharpness);
  if (!latent.is_cpu()) {
    seen.copy_(scale * form_.evaluate(units(latent, scale, sharpness.stretch), sharp, nullptr));
    return;
  }
  run(form_.map, latent, scale, sharp, seen);
}

void SoftLevels::chain(const torch::Tensor& latent,
                       const torch::Tensor& scale,
                       Sharpness sharpness,
                       torch::Tensor& gradient) const {
  if (form_.chain == nullptr) throw std::logic_error("hard rounding has no slope");
  const SoftShape sharp = shape(sharpness);
  if (!latent.is_cpu()) {
    torch::Tensor slope;
    form_.evaluate(units(latent, scale, sharpness.stretch), sharp, &slope);
    gradient.mul_(slope.mul_(sharpness.stretch));
    return;
  }
  run(form_.chain, latent, scale, sharp, gradient);
}

}  // namespace lastbit
