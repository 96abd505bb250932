#include <cmath>
#include <limits>
#include <memory>

#include "lastbit/method/demands.h"
#include "lastbit/method/registry.h"
#include "lastbit/method/straight_through.h"

namespace lastbit {
namespace {

// Ternary weight networks (Li et al. 2016): the network sees, for each group that shares a scale,
//
//     w = a sgn(v) where |v| > d, else 0,   d = 0.7 mean |v|,   a = mean of |v| over |v| > d,
//
// and v moves by the gradient at w. The threshold stands for the search of the best one, which
// would be a/2; a is the best scale for the threshold.
class TernaryWeightNetwork final : public StraightThrough {
 public:
  explicit TernaryWeightNetwork(double threshold) : threshold_(threshold) {}

  std::string_view name() const noexcept override { return "twn"; }

 private:
  void check(const ConstrainedWeight& layer) const override {
    if (!is_ternary(layer) || layer.set->granularity() == Granularity::kNone) {
      refuse(name(), layer, "ternary with a scale");
    }
    require_own_scale(name(), layer);
  }

  void fit(std::size_t /*i*/, const torch::Tensor& latent, LayerRounding& rounding) const override {
    Staircase& stairs = rounding.stairs;
    const auto all = mean_magnitudes(stairs.groups, latent);
    std::vector<float> thresholds(all.size());
    for (std::size_t group = 0; group < all.size(); ++group) {
      thresholds[group] = static_cast<float>(threshold_ * all[group]);
    }
    const auto means = mean_magnitudes(stairs.groups, latent, thresholds);
    rounding.scales.assign(means.begin(), means.end());
    for (std::size_t group = 0; group < thresholds.size(); ++group) {
      stairs.threshold(0, group) = -thresholds[group];
      stairs.threshold(1, group) =
          std::nextafter(thresholds[group], std::numeric_limits<float>::infinity());
      stairs.value(0, group) = -rounding.scales[group];
      stairs.value(1, group) = 0.0F;
      stairs.value(2, group) = rounding.scales[group];
    }
  }

  double threshold_;
};

}  // namespace

MethodInfo twn_method() {
  return {
      .name = "twn",
      .summary = "ternary weight networks (Li et al. 2016)",
      .options = {{"threshold", "0.7", "below which weights become 0, times their mean magnitude"}},
      .paper = {{"threshold", "0.7"}, {"finish-epochs", "0"}},
      .make = [](const Settings& settings) -> std::unique_ptr<Method> {
        return std::make_unique<TernaryWeightNetwork>(settings.number("threshold", 0.0, 10.0));
      }};
}

}  // namespace lastbit
