#include <cmath>
#include <memory>

#include "lastbit/method/demands.h"
#include "lastbit/method/registry.h"
#include "lastbit/method/straight_through.h"

namespace lastbit {
namespace {

// Binary weight networks (Rastegari et al. 2016, section 3.1): the network sees
//
//     w = a sgn(v),   a = mean |v|
//
// for each group that shares a scale, a filter in the paper; that is the nearest binary point. The
// gradient reaches v as it is, or in the paper's way
//
//     dL/dv = dL/dw (1/n + a [|v| < 1]),   n weights in a group.
class BinaryWeightNetwork final : public StraightThrough {
 public:
  explicit BinaryWeightNetwork(bool scales_gradient) : scales_gradient_(scales_gradient) {}

  std::string_view name() const noexcept override { return "bwn"; }

 private:
  void check(const ConstrainedWeight& layer) const override {
    if (!is_binary(layer) || layer.set->granularity() == Granularity::kNone) {
      refuse(name(), layer, "binary with a scale");
    }
    require_own_scale(name(), layer);
  }

  void start() override {
    StraightThrough::start();
    if (scales_gradient_) factors_ = torch::empty_like(weights().value);
  }

  void fit(const torch::Tensor& latent, std::vector<LayerRounding>& roundings) const override {
    const auto means = mean_magnitudes(groups(), latent);
    for (std::size_t i = 0; i < layers(); ++i) {
      roundings[i].scales.assign(means[i].begin(), means[i].end());
    }
    StraightThrough::fit(latent, roundings);
  }

  void chain(const Progress& /*at*/,
             const torch::Tensor& latent,
             torch::Tensor& gradient) override {
    if (!scales_gradient_) return;
    for (std::size_t i = 0; i < layers(); ++i) {
      const Groups& groups = rounding(i).stairs.groups;
      Staircase factor(groups, 2);
      for (std::size_t group = 0; group < static_cast<std::size_t>(groups.count()); ++group) {
        const auto outside = static_cast<float>(1.0 / static_cast<double>(groups.size()));
        factor.threshold(0, group) = std::nextafter(-1.0F, 0.0F);
        factor.threshold(1, group) = 1.0F;
        factor.value(0, group) = outside;
        factor.value(1, group) = outside + rounding(i).scales[group];
        factor.value(2, group) = outside;
      }
      apply(factor, latent, factors_);
    }
    gradient.mul_(factors_);
  }

  bool scales_gradient_;
  torch::Tensor factors_;  // (total) scratch
};

}  // namespace

MethodInfo bwn_method() {
  return {.name = "bwn",
          .summary = "binary weight networks (Rastegari et al. 2016)",
          .options = {{"gradient",
                       "straight",
                       "how it reaches the latent weights: straight, or scaled as in the paper's "
                       "equation"}},
          .paper = {{"gradient", "scaled"}, {"finish-epochs", "0"}},
          .make = [](const Settings& settings) -> std::unique_ptr<Method> {
            return std::make_unique<BinaryWeightNetwork>(
                settings.choice("gradient", {"straight", "scaled"}) == "scaled");
          }};
}

}  // namespace lastbit
