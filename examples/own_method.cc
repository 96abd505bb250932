#include <memory>
#include <vector>

#include "lastbit/base/random.h"
#include "lastbit/method/latent.h"
#include "lastbit/method/registry.h"
#include "lastbit/method/rounding.h"

namespace lastbit {
namespace {

// Quantization noise (Fan et al. 2020, arXiv 2004.07320): in each pass a share of the weights,
// drawn anew, is seen rounded and the rest as it is,
//
//     w = P(v) where drawn, else v,
//
// and v moves by the gradient at w, straight through the rounding. The levels and scales of P are
// those of the round's projection. The paper draws blocks of weights; here each weight is drawn.
class QuantizationNoise final : public LatentMethod {
 public:
  explicit QuantizationNoise(double share) : share_(share) {}

  std::string_view name() const noexcept override { return "quant-noise"; }

 private:
  // Once the reference is projected: how the levels and scales found round any weight.
  void start() override { rounding_ = nearest(weights().layers, low_bit().quantized()); }

  void map(const Progress& at, const torch::Tensor& latent, torch::Tensor& seen) const override {
    apply(rounding_, latent, seen);
    // A function of the step alone, so that a run that is resumed draws the same.
    Random random(0, static_cast<std::uint64_t>(at.step));
    std::vector<float> draws(static_cast<std::size_t>(latent.numel()));
    for (float& draw : draws) draw = static_cast<float>(random.uniform());
    const torch::Tensor kept = torch::tensor(draws).to(latent.device()) >= share_;
    seen.copy_(torch::where(kept, latent, seen));
  }

  void round(const Progress& at, const torch::Tensor& latent, LowBitPoint& low_bit) override {
    LatentMethod::round(at, latent, low_bit);
    start();
  }

  // Nothing to save: levels and scales are those of the low-bit point.
  void restore(const std::map<std::string, torch::Tensor>& /*state*/) override { start(); }

  double share_;
  std::vector<Staircase> rounding_;
};

}  // namespace

MethodInfo quant_noise_method() {
  return {.name = "quant-noise",
          .summary = "a share of the weights rounded in each pass (Fan et al. 2020)",
          .options = {{"share", "0.5", "of the weights that a pass sees rounded, 0 to 1"}},
          .make = [](const Settings& settings) -> std::unique_ptr<Method> {
            return std::make_unique<QuantizationNoise>(settings.number("share", 0.0, 1.0));
          }};
}

}  // namespace lastbit
