#include <cmath>
#include <cstddef>
#include <memory>

#include "lastbit/method/demands.h"
#include "lastbit/method/registry.h"
#include "lastbit/method/straight_through.h"

namespace lastbit {
namespace {

// DoReFa's weights (Zhou et al. 2016, section 2.3). One bit: the network sees
//
//     w = sgn(v) mean |v|                                                            (7)
//
// and the gradient reaches v as it is. More levels, evenly from -1 to 1:
//
//     w = q(tanh v / max |tanh v|),   q rounds to the nearest level                  (9)
//
// and the gradient passes q as it is, then the tanh by the chain rule, the maximum taken as
// constant. The paper's levels have no scale; a set that has one gets the largest magnitude of the
// reference in place of 1, and keeps it, so that a trained network without norms can start from its
// weights. Means and maxima are those of each group that shares a scale, a layer in the paper.
class DoReFa final : public StraightThrough {
 public:
  std::string_view name() const noexcept override { return "dorefa"; }

 private:
  void check(const ConstrainedWeight& layer) const override {
    const auto levels = levels_of(layer);
    const bool centred = !levels.empty() && levels.front() == -levels.back();
    // With a level at 0 and the largest weight as the range, nearly all weights would become 0.
    if (!is_even(layer) || !centred || levels.size() % 2 != 0) {
      refuse(name(), layer, "binary or uniform:N");
    }
    if (is_binary(layer) && layer.set->granularity() == Granularity::kNone) {
      refuse(name(), layer, "binary with a scale");
    }
    require_own_scale(name(), layer);
  }

  void start() override {
    StraightThrough::start();
    for (std::size_t i = 0; i < layers(); ++i) {
      if (!is_binary(layer(i))) slopes_ = torch::empty_like(weights().value);
    }
  }

  void prepare(std::size_t i, LayerRounding& rounding) override {
    if (is_binary(layer(i)) || rounding.per == Granularity::kNone) return;
    const auto largest = largest_magnitudes(rounding.stairs.groups, weights().value);
    for (std::size_t g = 0; g < largest.size(); ++g) {
      rounding.scales[g] = largest[g] / rounding.levels.back();
    }
  }

  void fit(std::size_t i, const torch::Tensor& latent, LayerRounding& rounding) const override {
    Staircase& stairs = rounding.stairs;
    if (is_binary(layer(i))) {
      const auto means = mean_magnitudes(stairs.groups, latent);
      rounding.scales.assign(means.begin(), means.end());
      fit_nearest(stairs, rounding.levels, rounding.scales);
      return;
    }
    // q jumps where tanh v is half way between two levels: the tanh of no weight is needed.
    const auto largest = largest_magnitudes(stairs.groups, latent);
    const std::vector<float>& levels = rounding.levels;
    for (std::size_t g = 0; g < largest.size(); ++g) {
      const double most = std::tanh(static_cast<double>(largest[g])) / levels.back();
      for (std::size_t k = 0; k < levels.size(); ++k) {
        stairs.value(k, g) = levels[k] * rounding.scales[rounding.scales.size() == 1 ? 0 : g];
        if (k + 1 == levels.size()) break;
        const double middle = 0.5 * (static_cast<double>(levels[k]) + levels[k + 1]);
        stairs.threshold(k, g) = static_cast<float>(std::atanh(most * middle));
      }
    }
  }

  void chain(const Progress& /*at*/,
             const torch::Tensor& latent,
             torch::Tensor& gradient) override {
    if (!slopes_.defined()) return;
    torch::tanh_out(slopes_, latent);
    slopes_.square_().neg_().add_(1.0);
    for (std::size_t i = 0; i < layers(); ++i) {
      torch::Tensor slope = grouped(rounding(i).stairs.groups, slopes_);
      if (is_binary(layer(i))) {
        slope.fill_(1.0);
        continue;
      }
      std::vector<float> factors = largest_magnitudes(rounding(i).stairs.groups, latent);
      const LayerRounding& own = rounding(i);
      for (std::size_t g = 0; g < factors.size(); ++g) {
        const float most = std::tanh(factors[g]);
        const float reach = own.levels.back() * own.scales[own.scales.size() == 1 ? 0 : g];
        factors[g] = most > 0.0F ? reach / most : 0.0F;
      }
      slope.mul_(torch::tensor(factors).to(slope.device()).view({1, -1, 1}));
    }
    gradient.mul_(slopes_);
  }

  torch::Tensor slopes_;  // (total) scratch: dw/dv; none where all are binary
};

}  // namespace

MethodInfo dorefa_method() {
  return {.name = "dorefa",
          .summary = "DoReFa-Net's weights, by tanh and rounding (Zhou et al. 2016)",
          .make = [](const Settings& /*settings*/) -> std::unique_ptr<Method> {
            return std::make_unique<DoReFa>();
          }};
}

}  // namespace lastbit
