#include "lastbit/method/parq.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

#include "lastbit/base/vectorize.h"
#include "lastbit/method/latent.h"
#include "lastbit/method/registry.h"
#include "lastbit/method/rounding.h"

namespace lastbit {
namespace {

// In: w holds the lower level of each cell. Out: the map.
LASTBIT_VECTORIZE void steepen(const float* __restrict v,
                               const float* __restrict upper,
                               float* __restrict w,
                               float slope,
                               std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float low = w[i];
    const float high = upper[i];
    const float centre = 0.5F * (low + high);
    const float steep = centre + (v[i] - centre) * slope;
    const float least = steep < low ? low : steep;
    w[i] = least > high ? high : least;
  }
}

// The lower and upper level of the cell in which a weight lies; the outermost cells reach to
// infinity.
struct Cells {
  Staircase lower;
  Staircase upper;
};

Cells cells_of(const ConstrainedWeight& layer, const Quantized& fitted) {
  const auto levels = fitted.levels.levels();
  const Groups groups = groups_of(layer, fitted);
  Cells cells{{groups, levels.size() - 2}, {groups, levels.size() - 2}};
  for (std::size_t g = 0; g < static_cast<std::size_t>(groups.count()); ++g) {
    const float scale = fitted.scales[fitted.scales.size() == 1 ? 0 : g];
    for (std::size_t k = 0; k + 1 < levels.size(); ++k) {
      cells.lower.value(k, g) = levels[k] * scale;
      cells.upper.value(k, g) = levels[k + 1] * scale;
      if (k == 0) continue;
      cells.lower.threshold(k - 1, g) = levels[k] * scale;
      cells.upper.threshold(k - 1, g) = levels[k] * scale;
    }
  }
  return cells;
}

struct Options {
  double steepness = 10.0;
  double anneal = 0.8;
};

// PARQ, piecewise-affine regularized quantization (Jin et al. 2025): latent weights v move by the
// gradient at w = prox(v), which for v in a cell between neighbouring levels a and b with centre c
// is
//
//     w = clip(c + (v - c) / s, a, b)
//
// with the inverse slope s from 1 to 0 (parq_inverse_slope); beyond the outermost levels w is the
// outermost, and after the annealing w is the nearest level. The paper finds its levels by a greedy
// fit (LSBQ); here levels and scales are those of the exact projection, made anew each round.
class Parq final : public LatentMethod {
 public:
  explicit Parq(const Options& options) : options_(options) {}

  std::string_view name() const noexcept override { return "parq"; }

 private:
  void start() override {
    upper_ = torch::empty_like(weights().value);
    refit();
  }

  void refit() {
    const auto& fitted = low_bit().quantized();
    nearest_ = nearest(weights().layers, fitted);
    cells_.clear();
    for (std::size_t i = 0; i < fitted.size(); ++i) {
      cells_.push_back(cells_of(weights().layers[i], fitted[i]));
    }
  }

  double inverse_slope(const Progress& at) const {
    if (at.fraction() >= options_.anneal) return 0.0;
    return parq_inverse_slope(at.fraction() / options_.anneal, options_.steepness);
  }

  void map(const Progress& at, const torch::Tensor& latent, torch::Tensor& seen) const override {
    const double inverse = inverse_slope(at);
    if (inverse <= 0.0) {
      apply(nearest_, latent, seen);
      return;
    }
    torch::Tensor upper = upper_;
    for (const Cells& cells : cells_) {
      apply(cells.lower, latent, seen);
      apply(cells.upper, latent, upper);
    }
    if (latent.is_cpu()) {
      steepen(latent.data_ptr<float>(),
              upper.data_ptr<float>(),
              seen.data_ptr<float>(),
              static_cast<float>(1.0 / inverse),
              latent.numel());
    } else {
      const torch::Tensor centre = (seen + upper) * 0.5;
      const torch::Tensor steep = centre + (latent - centre) / inverse;
      seen.copy_(torch::minimum(torch::maximum(steep, seen), upper));
    }
  }

  void round(const Progress& at, const torch::Tensor& latent, LowBitPoint& low_bit) override {
    LatentMethod::round(at, latent, low_bit);
    refit();
  }

  double penalty(const Progress& at) const override { return inverse_slope(at); }

  void restore(const std::map<std::string, torch::Tensor>& /*state*/) override { refit(); }

  Options options_;
  std::vector<Staircase> nearest_;
  std::vector<Cells> cells_;
  torch::Tensor upper_;  // (total) scratch
};

}  // namespace

double parq_inverse_slope(double fraction, double steepness) {
  const auto sigmoid = [&](double f) { return 1.0 / (1.0 + std::exp(steepness * (f - 0.5))); };
  return (sigmoid(fraction) - sigmoid(1.0)) / (sigmoid(0.0) - sigmoid(1.0));
}

MethodInfo parq_method() {
  return {
      .name = "parq",
      .summary = "piecewise-affine regularized quantization (PARQ, Jin et al. 2025)",
      .options = {{"steepness", "10", "of the way from identity to rounding, 1 to 80"},
                  {"anneal", "0.8", "share of the run after which weights are fully rounded"}},
      .paper = {{"steepness", "10"},
                {"anneal", "0.75"},  // of 200 epochs 150, as in the authors' script
                {"epochs", "200"},
                {"batch", "128"},
                {"optimizer", "sgd"},
                {"momentum", "0.9"},
                {"learning-rate", "0.1/10@0.4,0.6,0.75"},
                {"weight-decay", "2e-4"},
                {"finish-epochs", "0"}},
      .make = [](const Settings& settings) -> std::unique_ptr<Method> {
        return std::make_unique<Parq>(Options{.steepness = settings.number("steepness", 1.0, 80.0),
                                              .anneal = settings.number("anneal", 0.0, 1.0)});
      }};
}

}  // namespace lastbit
