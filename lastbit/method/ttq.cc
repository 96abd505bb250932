#include <array>
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

constexpr std::int64_t kLanes = 16;

// The lanes are fixed, so that sums are the same for every width of vector.
struct SlopeLanes {
  std::array<float, kLanes> negative{};
  std::array<float, kLanes> positive{};
};

// The derivatives by the levels of a layer.
struct Slopes {
  double lowest = 0.0;
  double highest = 0.0;
};

LASTBIT_VECTORIZE void add_slopes(const float* __restrict v,
                                  const float* __restrict gradient,
                                  std::int64_t rows,
                                  float least,
                                  float least_positive,
                                  float* __restrict negative,
                                  float* __restrict positive) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      const float x = v[row * kLanes + lane];
      const float g = gradient[row * kLanes + lane];
      negative[lane] += x >= least ? 0.0F : g;
      positive[lane] += x >= least_positive ? g : 0.0F;
    }
  }
}

struct Options {
  double threshold = 0.05;
  bool scales_gradient = false;
  bool starts_at_one = false;
  bool sums = false;
};

// Trained ternary quantization (Zhu et al. 2017, section 4): the network sees
//
//     w = +Wp where v > d,  0 where |v| <= d,  -Wn where v < -d;   d = 0.05 max |v|      (6)
//
// for each layer. Both levels are learned, by plain gradient descent at the learning rate:
//
//     dL/dWp = sum of dL/dw over v > d,   dL/dWn = - sum of dL/dw over v < -d            (7)
//
// and v moves by the gradient at w times Wp, 1 or Wn by region (8). The paper drops the sign in
// (7). A step that would take a level to 0 or below is left out. On request the sums are as the
// paper has them; else they are divided by the root of the number of weights, so that a level and
// the weights, taken as vectors, change by comparable shares (Esser et al. 2020, section 2.2).
class TrainedTernary final : public StraightThrough {
 public:
  explicit TrainedTernary(const Options& options) : options_(options) {}

  std::string_view name() const noexcept override { return "ttq"; }

 private:
  void check(const ConstrainedWeight& layer) const override {
    if (!is_ternary(layer) || layer.set->granularity() != Granularity::kTensor) {
      refuse(name(), layer, "ternary");
    }
    require_own_scale(name(), layer);
  }

  // The best levels for the regions of the reference.
  void prepare(std::size_t /*i*/, LayerRounding& rounding) override {
    rounding.per = Granularity::kNone;
    rounding.scales = {1.0F};
    const Groups& groups = rounding.stairs.groups;
    const torch::Tensor v = grouped(groups, weights().value);
    const float limit =
        threshold(largest_magnitudes(std::span(&groups, 1), weights().value).front());
    const auto mean = [&](const torch::Tensor& where) {
      const auto count = where.sum().item<double>();
      return count > 0.0 ? (v.abs() * where).sum(torch::kFloat64).item<double>() / count : 1.0;
    };
    const double negative = options_.starts_at_one ? 1.0 : mean(v < -limit);
    const double positive = options_.starts_at_one ? 1.0 : mean(v > limit);
    rounding.levels = {static_cast<float>(-negative), 0.0F, static_cast<float>(positive)};
  }

  float threshold(const std::vector<float>& largest) const {
    return static_cast<float>(options_.threshold * largest.front());
  }

  void fit(const torch::Tensor& latent, std::vector<LayerRounding>& roundings) const override {
    const auto largest = largest_magnitudes(groups(), latent);
    for (std::size_t i = 0; i < layers(); ++i) {
      const float limit = threshold(largest[i]);
      Staircase& stairs = roundings[i].stairs;
      stairs.thresholds = {-limit, std::nextafter(limit, std::numeric_limits<float>::infinity())};
      stairs.values = roundings[i].levels;
    }
  }

  void chain(const Progress& at, const torch::Tensor& latent, torch::Tensor& gradient) override {
    if (options_.scales_gradient && !factors_.defined()) factors_ = torch::empty_like(gradient);
    const std::vector<Slopes> all = slopes(latent, gradient);
    for (std::size_t i = 0; i < layers(); ++i) {
      LayerRounding& own = rounding(i);
      if (options_.scales_gradient) {
        Staircase factor = own.stairs;
        factor.values = {-own.levels[0], 1.0F, own.levels[2]};
        apply(factor, latent, factors_);
      }
      const auto size = static_cast<double>(layer(i).layout.size());
      const double rate = at.learning_rate / (options_.sums ? 1.0 : std::sqrt(size));
      const auto lowest = static_cast<float>(own.levels[0] - rate * all[i].lowest);
      const auto highest = static_cast<float>(own.levels[2] - rate * all[i].highest);
      if (lowest < 0.0F) own.levels[0] = lowest;
      if (highest > 0.0F) own.levels[2] = highest;
    }
    if (options_.scales_gradient) gradient.mul_(factors_);
  }

  std::vector<Slopes> slopes(const torch::Tensor& latent, const torch::Tensor& gradient) {
    std::vector<Slopes> result;
    std::vector<torch::Tensor> sums;
    for (std::size_t i = 0; i < layers(); ++i) {
      const Staircase& stairs = rounding(i).stairs;
      if (latent.is_cpu()) {
        result.push_back(slopes_of(stairs, latent, gradient));
        continue;
      }
      const torch::Tensor v = grouped(stairs.groups, latent);
      const torch::Tensor g = grouped(stairs.groups, gradient);
      sums.push_back((g * (v < stairs.thresholds[0])).sum(torch::kFloat64));
      sums.push_back((g * (v >= stairs.thresholds[1])).sum(torch::kFloat64));
    }
    if (sums.empty()) return result;
    const torch::Tensor host = torch::stack(sums).to(torch::kCPU);
    const auto* next = host.data_ptr<double>();
    for (std::size_t i = 0; i < layers(); ++i, next += 2) result.push_back({next[0], next[1]});
    return result;
  }

  static Slopes slopes_of(const Staircase& stairs,
                          const torch::Tensor& latent,
                          const torch::Tensor& gradient) {
    const torch::Tensor v = grouped(stairs.groups, latent);
    const torch::Tensor g = grouped(stairs.groups, gradient);
    const float least = stairs.thresholds[0];
    const float least_positive = stairs.thresholds[1];
    const float* x = v.data_ptr<float>();
    const float* slope = g.data_ptr<float>();
    constexpr std::int64_t kRows = 64;  // floats are summed this far before they go into doubles
    double negative = 0.0;
    double positive = 0.0;
    const std::int64_t whole = v.numel() / kLanes;
    for (std::int64_t row = 0; row < whole; row += kRows) {
      SlopeLanes part;
      add_slopes(x + row * kLanes,
                 slope + row * kLanes,
                 std::min(kRows, whole - row),
                 least,
                 least_positive,
                 part.negative.data(),
                 part.positive.data());
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        negative += part.negative[lane];
        positive += part.positive[lane];
      }
    }
    for (std::int64_t i = whole * kLanes; i < v.numel(); ++i) {
      negative += x[i] >= least ? 0.0F : slope[i];
      positive += x[i] >= least_positive ? slope[i] : 0.0F;
    }
    return {negative, positive};
  }

  Options options_;
  torch::Tensor factors_;  // (total) scratch
};

}  // namespace

MethodInfo ttq_method() {
  return {
      .name = "ttq",
      .summary = "trained ternary quantization (Zhu et al. 2017)",
      .options = {{"max-share", "0.05", "below which weights become 0, as a share of the largest"},
                  {"latent-gradient",
                   "straight",
                   "how it reaches the latent weights: scaled by the levels as in the paper, "
                   "or straight as in its authors' code"},
                  {"level-gradient",
                   "balanced",
                   "by which a level moves: sum over its weights as in the paper, or balanced, "
                   "over the root of the layer's size"},
                  {"start", "fit", "first levels: fit to the reference, or one"}},
      .paper = {{"max-share", "0.05"},
                {"latent-gradient", "scaled"},
                {"level-gradient", "sum"},
                {"start", "one"},
                {"optimizer", "sgd"},
                {"learning-rate", "0.1*0.1@50epochs"},
                {"epochs", "160"},
                {"batch", "128"},
                {"weight-decay", "2e-4"},
                {"finish-epochs", "0"}},
      .make = [](const Settings& settings) -> std::unique_ptr<Method> {
        return std::make_unique<TrainedTernary>(
            Options{.threshold = settings.number("max-share", 0.0, 1.0),
                    .scales_gradient =
                        settings.choice("latent-gradient", {"scaled", "straight"}) == "scaled",
                    .starts_at_one = settings.choice("start", {"fit", "one"}) == "one",
                    .sums = settings.choice("level-gradient", {"balanced", "sum"}) == "sum"});
      }};
}

}  // namespace lastbit
