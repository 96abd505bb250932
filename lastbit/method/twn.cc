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

  void fit(const torch::Tensor& latent, std::vector<LayerRounding>& roundings) const override {
    const std::vector<Groups> all = groups();
    std::vector<std::vector<float>> thresholds;
    for (const std::vector<double>& means : mean_magnitudes(all, latent)) {
      std::vector<float>& own = thresholds.emplace_back();
      for (const double mean : means) own.push_back(static_cast<float>(threshold_ * mean));
    }
    const auto means = mean_magnitudes(all, latent, thresholds);
    for (std::size_t i = 0; i < layers(); ++i) {
      roundings[i].scales.assign(means[i].begin(), means[i].end());
      cut_at(thresholds[i], roundings[i]);
    }
  }

  static void cut_at(const std::vector<float>& thresholds, LayerRounding& rounding) {
    Staircase& stairs = rounding.stairs;
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
