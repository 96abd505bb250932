#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>

#include "lastbit/base/vectorize.h"
#include "lastbit/method/demands.h"
#include "lastbit/method/registry.h"
#include "lastbit/method/straight_through.h"

namespace lastbit {
namespace {

LASTBIT_VECTORIZE void chain_loop(const float* __restrict v,
                                  const float* __restrict w,
                                  const float* __restrict inside,
                                  float* __restrict gradient,
                                  float* __restrict product,
                                  std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float g = gradient[i];
    const float within = inside[i] * v[i];
    product[i] = g * (w[i] - within);
    gradient[i] = g * inside[i];
  }
}

// Learned step size quantization (Esser et al. 2020, section 2): the network sees the nearest
// level,
//
//     w = s q(v/s),   q(x) = the multiple of the levels' distance nearest to x, within their range
//
// for each group with a step s of its own, which is learned by plain gradient descent at the
// learning rate:
//
//     dw/ds = q(v/s) - v/s within the range, the outermost level beyond it                  (3)
//
// times 1/sqrt(N Q), N weights in a group and Q the largest level. The gradient at w reaches v
// within the range (5). Levels are counted in their distance, so that binary has -1/2 and 1/2 and
// s is the distance of the scaled levels, whatever the set's own numbers. A step that would take s
// to 0 or below is left out; a group of zeros stays one.
class LearnedStep final : public StraightThrough {
 public:
  explicit LearnedStep(bool starts_by_mean) : starts_by_mean_(starts_by_mean) {}

  std::string_view name() const noexcept override { return "lsq"; }

 private:
  void check(const ConstrainedWeight& layer) const override {
    if (!is_even(layer) || layer.set->granularity() == Granularity::kNone) {
      refuse(name(), layer, "levels at equal distances and a scale");
    }
    require_own_scale(name(), layer);
  }

  void start() override {
    StraightThrough::start();
    inside_ = torch::empty_like(weights().value);
    product_ = torch::empty_like(weights().value);
  }

  // The paper starts from s = 2 mean |v| / sqrt(Q), which is meant for a dense range of levels.
  void prepare(std::size_t /*i*/, LayerRounding& rounding) override {
    if (!starts_by_mean_) return;
    const auto means =
        mean_magnitudes(std::span(&rounding.stairs.groups, 1), weights().value).front();
    const double factor = 2.0 / std::sqrt(range(rounding)) / distance(rounding);
    for (std::size_t g = 0; g < means.size(); ++g) {
      rounding.scales[g] = static_cast<float>(factor * means[g]);
    }
  }

  void chain(const Progress& at, const torch::Tensor& latent, torch::Tensor& gradient) override {
    for (std::size_t i = 0; i < layers(); ++i) apply(within(rounding(i)), latent, inside_);
    multiply(latent, gradient);
    const auto sums = group_sums(groups(), product_);
    for (std::size_t i = 0; i < layers(); ++i) move(rounding(i), sums[i], at.learning_rate);
  }

  // 1 within the range of the levels, else 0.
  static Staircase within(const LayerRounding& rounding) {
    Staircase result(rounding.stairs.groups, 2);
    for (std::size_t g = 0; g < rounding.scales.size(); ++g) {
      const float scale = rounding.scales[g];
      result.threshold(0, g) = rounding.levels.front() * scale;
      result.threshold(1, g) =
          std::nextafter(rounding.levels.back() * scale, std::numeric_limits<float>::infinity());
      result.value(1, g) = 1.0F;
    }
    return result;
  }

  void multiply(const torch::Tensor& latent, torch::Tensor& gradient) {
    const torch::Tensor& w = weights().value;
    if (gradient.is_cpu()) {
      chain_loop(latent.data_ptr<float>(),
                 w.data_ptr<float>(),
                 inside_.data_ptr<float>(),
                 gradient.data_ptr<float>(),
                 product_.data_ptr<float>(),
                 gradient.numel());
    } else {
      product_.copy_(gradient * (w - inside_ * latent));
      gradient.mul_(inside_);
    }
  }

  // dL/ds = sum of g dw/ds = sum of `product_` / s.
  static void move(LayerRounding& rounding, const std::vector<double>& sums, double learning_rate) {
    const double apart = distance(rounding);
    const auto size = static_cast<double>(rounding.stairs.groups.size());
    const double balance = 1.0 / std::sqrt(size * range(rounding));
    for (std::size_t g = 0; g < sums.size(); ++g) {
      const double step = rounding.scales[g] * apart;
      if (!(step > 0.0)) continue;
      const auto scale =
          static_cast<float>((step - learning_rate * balance * sums[g] / step) / apart);
      if (scale > 0.0F) rounding.scales[g] = scale;
    }
  }

  static double distance(const LayerRounding& rounding) {
    return (static_cast<double>(rounding.levels.back()) - rounding.levels.front()) /
           static_cast<double>(rounding.levels.size() - 1);
  }

  // The largest level, in distances.
  static double range(const LayerRounding& rounding) {
    return std::max(std::abs(rounding.levels.back()), std::abs(rounding.levels.front())) /
           distance(rounding);
  }

  bool starts_by_mean_;
  torch::Tensor inside_;   // (total) scratch: 1 where the gradient reaches v
  torch::Tensor product_;  // (total) scratch: gradient times s dw/ds
};

}  // namespace

MethodInfo lsq_method() {
  return {.name = "lsq",
          .summary = "learned step size quantization (Esser et al. 2020)",
          .options = {{"first-step",
                       "fit",
                       "size of the first step: fit to the reference, or by the mean magnitude as "
                       "in the paper"}},
          .paper = {{"first-step", "mean"}, {"finish-epochs", "0"}},
          .make = [](const Settings& settings) -> std::unique_ptr<Method> {
            return std::make_unique<LearnedStep>(settings.choice("first-step", {"fit", "mean"}) ==
                                                 "mean");
          }};
}

}  // namespace lastbit
