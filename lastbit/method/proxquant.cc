#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "lastbit/base/vectorize.h"
#include "lastbit/method/demands.h"
#include "lastbit/method/fused.h"
#include "lastbit/method/latent.h"
#include "lastbit/method/registry.h"
#include "lastbit/method/rounding.h"

namespace lastbit {
namespace {

// Toward the nearer of -bound and bound by `strength` bounds, and never beyond; weights farther out
// are clipped to it.
LASTBIT_VECTORIZE void shrink_to_two(float* __restrict w,
                                     const float* __restrict bound,
                                     float strength,
                                     std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float magnitude = (w[i] < 0.0F ? -w[i] : w[i]) + strength * bound[i];
    const float clipped = magnitude > bound[i] ? bound[i] : magnitude;
    w[i] = w[i] < 0.0F ? -clipped : clipped;
  }
}

struct Options {
  double pull = 4.0;
  std::optional<double> rate = {};
  double freeze = 2.0 / 3.0;
};

// ProxQuant (Bai et al. 2019): the network sees the weights as they are, and each optimizer step is
// followed by the proximal map of a regularizer whose strength r grows over the run. For binary,
// with the W-shaped R(w) = min(|w - H|, |w + H|), and a clip to [-H, H]:
//
//     w = sgn(w) (H + sgn(|w| - H) max(||w| - H| - r H, 0))
//
// and for all other sets, with the squared distance,
//
//     w = (w + r P(w)) / (1 + r).
//
// From a share of the run on, weights are rounded and frozen, and only what is not low-bit trains.
// The paper's H is 1, and its P ternarizes by the threshold of TWN with a mean for each sign; here
// H is the scale of the reference's projection, kept, and P rounds to levels and scales of the
// exact projection, made anew each round. The paper's r is learning rate x rate x epoch; without a
// rate, r grows linearly from 0 such that it adds up to `pull` until the freeze.
class ProxQuant final : public LatentMethod {
 public:
  explicit ProxQuant(Options options) : options_(options) {}

  std::string_view name() const noexcept override { return "proxquant"; }

  void after_step(const Progress& at) override {
    if (frozen_) {
      weights().value.copy_(low_bit().value());
      return;
    }
    shrink(static_cast<float>(strength(at)));
    if (at.fraction() < options_.freeze) return;
    low_bit().project(weights().value);
    weights().value.copy_(low_bit().value());
    frozen_ = true;
  }

 private:
  void start() override {
    bound_ = low_bit().value().abs();
    refit();
  }

  void refit() {
    two_levels_.clear();
    stairs_.clear();
    for (std::size_t i = 0; i < weights().layers.size(); ++i) {
      const ConstrainedWeight& layer = weights().layers[i];
      if (is_binary(layer)) {
        two_levels_.push_back(layer);
      } else {
        stairs_.push_back(nearest(layer, low_bit().quantized()[i]));
      }
    }
  }

  void map(const Progress& /*at*/,
           const torch::Tensor& latent,
           torch::Tensor& seen) const override {
    seen.copy_(latent);
  }

  double strength(const Progress& at) const {
    if (options_.rate) {
      return at.learning_rate * *options_.rate * static_cast<double>(at.epoch);
    }
    const double steps = options_.freeze * static_cast<double>(at.total_steps);
    return 2.0 * options_.pull * static_cast<double>(at.step) / (steps * steps);
  }

  void shrink(float strength) {
    torch::Tensor& w = weights().value;
    for (const ConstrainedWeight& layer : two_levels_) {
      const auto slice = [&](const torch::Tensor& flat) {
        return flat.narrow(0, layer.offset, layer.layout.size());
      };
      torch::Tensor own = slice(w);
      const torch::Tensor bound = slice(bound_);
      if (own.is_cpu()) {
        shrink_to_two(own.data_ptr<float>(), bound.data_ptr<float>(), strength, own.numel());
      } else {
        const torch::Tensor magnitude = torch::minimum(own.abs() + bound * strength, bound);
        own.copy_(torch::where(own < 0.0, -magnitude, magnitude));
      }
    }
    if (stairs_.empty()) return;
    if (!target_.defined()) target_ = torch::empty_like(w);
    for (const Staircase& stairs : stairs_) {
      apply(stairs, w, target_);
      torch::Tensor own = grouped(stairs.groups, w);
      blend(own, grouped(stairs.groups, target_), 1.0 / (1.0 + strength));
    }
  }

  // Once frozen, the point stays: a set may hold it under other codes as well.
  void round(const Progress& at, const torch::Tensor& latent, LowBitPoint& low_bit) override {
    if (frozen_) {
      low_bit.assign(std::vector<Quantized>(low_bit.quantized()));
      return;
    }
    LatentMethod::round(at, latent, low_bit);
    refit();
  }

  double penalty(const Progress& at) const override { return frozen_ ? 0.0 : strength(at); }

  void save(std::map<std::string, torch::Tensor>& state) const override {
    state["bound"] = bound_.clone();
    state["frozen"] = torch::tensor(frozen_);
  }

  void restore(const std::map<std::string, torch::Tensor>& state) override {
    bound_.copy_(state.at("bound"));
    frozen_ = state.at("frozen").item<bool>();
    refit();
  }

  Options options_;
  std::vector<ConstrainedWeight> two_levels_;  // layers with the W-shaped regularizer
  std::vector<Staircase> stairs_;              // of the others
  torch::Tensor bound_;                        // (total) H, where binary
  torch::Tensor target_;                       // (total) scratch: P(w)
  bool frozen_ = false;
};

}  // namespace

MethodInfo proxquant_method() {
  return {
      .name = "proxquant",
      .summary = "a proximal map after each step, ever stronger (ProxQuant, Bai et al. 2019)",
      .options = {{"attraction",
                   "4",
                   "how far the regularizer moves weights in all: in scales (binary), or as the "
                   "exponent of what is left of the gap"},
                  {"reg-rate",
                   "",
                   "the paper's: strength is learning rate x this x epoch, in place of the "
                   "attraction"},
                  {"freeze", "0.67", "share of the run after which weights are rounded and stay"}},
      .usual = {{"optimizer", "adam"}, {"learning-rate", "cosine:0.005"}},
      .paper = {{"reg-rate", "1e-4"},
                {"freeze", "0.67"},
                {"epochs", "300"},
                {"optimizer", "adam"},
                {"learning-rate", "0.01"},
                {"batch", "128"},
                {"finish-epochs", "0"}},
      .make = [](const Settings& settings) -> std::unique_ptr<Method> {
        Options options{.pull = settings.number("attraction", 0.0, 1e6),
                        .freeze = settings.number("freeze", 0.0, 1.0)};
        if (!settings.text("reg-rate").empty()) {
          options.rate = settings.number("reg-rate", 0.0, 1e6);
        }
        return std::make_unique<ProxQuant>(options);
      }};
}

}  // namespace lastbit
