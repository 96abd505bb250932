#include "lastbit/method/mirror.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <utility>

#include <ATen/Parallel.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/base/threads.h"
#include "lastbit/method/latent.h"
#include "lastbit/quant/runs.h"

namespace lastbit {
namespace {

// Beyond it the slope of a map overflows gradients; the code of PMF has the
// same bound.
constexpr double kSteepest = 1e4;
// Float32 holds it, and its products with latent weights; the code of mirror
// descent has the same bound.
constexpr double kSharpest = 1e35;

class Mirror final : public LatentMethod {
 public:
  explicit Mirror(const MirrorOptions& options) : options_(options), beta_(first_beta()) {}

  std::string_view name() const noexcept override { return options_.name; }

  void before_forward(const Progress& at, int pass) override {
    if (options_.keep == Keep::kWeight) sharpen(scheduled(at));
    LatentMethod::before_forward(at, pass);
  }

 protected:
  void start() override {
    for (const ConstrainedWeight& layer : weights().layers) check(layer);
    scale_ = torch::empty_like(weights().value);
    refresh();
  }

  void map(const Progress& at, const torch::Tensor& latent, torch::Tensor& seen) const override {
    for_each_layer([&](std::size_t i, const auto& slice) {
      torch::Tensor part = slice(seen);
      soft_[i].map(slice(latent), slice(scale_), sharpness(at), part);
    });
  }

  void chain(const Progress& at, const torch::Tensor& latent, torch::Tensor& gradient) override {
    if (!options_.chain) return;
    for_each_layer([&](std::size_t i, const auto& slice) {
      torch::Tensor part = slice(gradient);
      soft_[i].chain(slice(latent), slice(scale_), sharpness(at), part);
    });
  }

  void round(const Progress& /*at*/, const torch::Tensor& latent, LowBitPoint& low_bit) override {
    if (options_.keep == Keep::kWeight) {
      low_bit.assign(nearest(latent));
      return;
    }
    low_bit.project(latent);
    refresh();
  }

  double penalty(const Progress& at) const override {
    return options_.softness == Softness::kHard ? 0.0 : beta(at);
  }

  void save(std::map<std::string, torch::Tensor>& state) const override {
    state["beta"] = torch::tensor(beta_, torch::kFloat64);
  }
  void restore(const std::map<std::string, torch::Tensor>& state) override {
    beta_ = state.at("beta").item<double>();
    refresh();
  }

 private:
  void check(const ConstrainedWeight& layer) const {
    if (options_.softness != Softness::kTanh) return;
    const std::string set = layer.set->name();
    const std::string form = set.substr(0, set.find('/'));
    if (form == "binary" || form == "ternary") return;
    throw InputError(cat("[",
                         options_.name,
                         "] layer '",
                         layer.name,
                         "' has codebook ",
                         set,
                         ", expected binary or ternary"));
  }

  template <typename Body>
  void for_each_layer(const Body& body) const {
    for (std::size_t i = 0; i < weights().layers.size(); ++i) {
      const ConstrainedWeight& layer = weights().layers[i];
      body(i, [&layer](const torch::Tensor& flat) {
        return flat.narrow(0, layer.offset, layer.layout.size());
      });
    }
  }

  // Takes over levels and scales of the low-bit point.
  void refresh() {
    soft_.clear();
    torch::Tensor scales = torch::empty_like(scale_, torch::kCPU);
    for_each_layer([&](std::size_t i, const auto& slice) {
      const Quantized& quantized = low_bit().quantized()[i];
      soft_.emplace_back(options_.softness, quantized.levels);
      auto* const of_weight = slice(scales).template data_ptr<float>();
      for_each_run(quantized, [&](std::size_t scale, std::size_t begin, std::size_t end) {
        std::fill(of_weight + begin, of_weight + end, quantized.scales[scale]);
      });
    });
    scale_.copy_(scales);
  }

  double first_beta() const { return std::min(options_.beta.first(), kSharpest); }

  double scheduled(const Progress& at) const {
    return std::min(options_.beta.at(at, Over::kRounds), options_.chain ? kSteepest : kSharpest);
  }

  // What the latent weights stand for.
  double beta(const Progress& at) const {
    if (options_.keep == Keep::kWeight) return beta_;
    return scheduled(at);
  }

  // A softmax keeps its u_l from one beta to the next only if its offsets stay
  // as they are: beta multiplies the latent weight alone.
  bool keeps_offsets() const {
    return options_.keep == Keep::kWeight && options_.softness == Softness::kSoftmax;
  }

  Sharpness sharpness(const Progress& at) const {
    if (!keeps_offsets()) return {.beta = beta(at)};
    return {.beta = first_beta(), .stretch = beta_ / first_beta()};
  }

  // From beta_ to `next`, w kept.
  void sharpen(double next) {
    if (next == beta_) return;
    for_each_layer([&](std::size_t i, const auto& slice) {
      torch::Tensor latent = slice(weights().value);
      const bool shifted =
          options_.softness == Softness::kTanh && low_bit().quantized()[i].levels.size() == 3;
      if (shifted) {
        keep_ternary_weights(latent, slice(scale_), next);
      } else {
        latent.mul_(beta_ / next);
      }
    });
    beta_ = next;
  }

  void keep_ternary_weights(torch::Tensor& latent, const torch::Tensor& scale, double next) const {
    torch::Tensor host = latent.to(torch::kCPU);
    const torch::Tensor host_scale = scale.to(torch::kCPU);
    auto* v = host.data_ptr<float>();
    const auto* a = host_scale.data_ptr<float>();
    parallel_for(static_cast<std::size_t>(host.numel()),
                 at::get_num_threads(),
                 [&](std::size_t begin, std::size_t end) {
                   for (std::size_t i = begin; i < end; ++i) {
                     if (a[i] == 0.0F) continue;
                     const double x = static_cast<double>(v[i]) / a[i];
                     v[i] = static_cast<float>(a[i] * keep_ternary(x, beta_, next));
                   }
                 });
    if (!latent.is_cpu()) latent.copy_(host);
  }

  // The nearest levels, with scales as they are.
  std::vector<Quantized> nearest(const torch::Tensor& latent) const {
    std::vector<Quantized> result = low_bit().quantized();
    const double stretch = keeps_offsets() ? beta_ / first_beta() : 1.0;
    const torch::Tensor unit =
        (latent * stretch / scale_.clamp_min(1e-30F)).to(torch::kCPU).contiguous();
    for_each_layer([&](std::size_t i, const auto& slice) {
      const torch::Tensor part = slice(unit);
      const auto* x = part.template data_ptr<float>();
      std::vector<Code>& codes = result[i].codes;
      for (std::size_t k = 0; k < codes.size(); ++k) codes[k] = result[i].levels.nearest(x[k]);
    });
    return result;
  }

  MirrorOptions options_;
  double beta_;                   // kWeight: that of the latent weights as they are
  std::vector<SoftLevels> soft_;  // of each layer
  torch::Tensor scale_;           // (total) of each weight
};

}  // namespace

std::unique_ptr<Method> make_mirror(const MirrorOptions& options) {
  return std::make_unique<Mirror>(options);
}

// With t = 2 beta x >= 0 and C = cosh(beta), P = sinh t / (cosh t + C). All is
// done in logarithms of C, P and 1 - P:
//
//     1 - P = 2 (1 + s e^-t) / D,   P = (1 - e^-2t) e^m / D,
//     D = e^m + s e^-t + 2,   s = 1 / C,   m = t - log C
//
// and t' solves  e^t' = [P C' + sqrt(P^2 C'^2 + 1 - P^2)] / (1 - P).
double keep_ternary(double x, double beta, double next) {
  const auto log_cosh = [](double b) {
    return b + std::log1p(std::exp(-2.0 * b)) - std::numbers::ln2;
  };
  const double t = 2.0 * beta * std::abs(x);
  if (t == 0.0) return x;
  const double log_c = log_cosh(beta);
  const double m = t - log_c;
  const double small = std::exp(-log_c - t);  // s e^-t
  // log of D, from its largest part on.
  const double log_d =
      m > 0.0 ? m + std::log1p((small + 2.0) * std::exp(-m)) : std::log(std::exp(m) + small + 2.0);
  const double log_rest = std::numbers::ln2 + std::log1p(small) - log_d;  // log(1 - P)
  const double log_p = std::log(-std::expm1(-2.0 * t)) + m - log_d;       // log P
  const double log_c_next = log_cosh(next);
  const double ratio = log_p + log_c_next;  // log(P C')
  const double p = std::exp(log_p);
  constexpr double kDominates = 300.0;  // e^300 squared is finite, and 1 is nothing beside it
  const double root = ratio > kDominates
                          ? ratio + std::numbers::ln2
                          : std::log(std::exp(ratio) +
                                     std::hypot(std::exp(ratio), std::sqrt((1.0 - p) * (1.0 + p))));
  return std::copysign(std::max(root - log_rest, 0.0) / (2.0 * next), x);
}

std::vector<OptionInfo> beta_option(std::string_view fallback) {
  return {{"beta",
           fallback,
           "sharpness of the soft rounding that the network sees, latent "
           "weights in units of the "
           "scale; a schedule over the rounds"}};
}

std::vector<Advice> mirror_protocol(std::string_view learning_rate, std::string_view beta) {
  return {{"epochs", "284"},  // 100,000 steps of 45,000 samples
          {"project-every", "100steps"},
          {"batch", "128"},
          {"optimizer", "adam"},
          {"learning-rate", learning_rate},
          {"weight-decay", "0"},
          {"beta", beta},
          {"finish-epochs", "0"}};
}

}  // namespace lastbit
