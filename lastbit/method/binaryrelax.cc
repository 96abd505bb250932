#include <memory>
#include <optional>
#include <utility>

#include "lastbit/method/fused.h"
#include "lastbit/method/latent.h"
#include "lastbit/method/registry.h"
#include "lastbit/method/rounding.h"

namespace lastbit {
namespace {

struct Options {
  std::optional<Schedule> lambda;
  double anneal = 0.8;
};

// BinaryRelax (Yin et al. 2018): the network sees latent weights on their way to the set,
//
//     w = (v + lambda P(v)) / (1 + lambda),   lambda growing,
//
// v moves by the gradient at w, and in the last phase w = P(v). In every step P rounds to the
// levels and scales of the round's projection; the projection itself is made anew each round.
// Without a schedule of lambda the share t = lambda / (1 + lambda) of P(v) grows linearly from 0 to
// 1, as in the library of PARQ's authors.
class BinaryRelax final : public LatentMethod {
 public:
  explicit BinaryRelax(Options options) : options_(std::move(options)) {}

  std::string_view name() const noexcept override { return "binaryrelax"; }

 private:
  void start() override { stairs_ = nearest(weights().layers, low_bit().quantized()); }

  double share(const Progress& at) const {
    if (at.fraction() >= options_.anneal) return 1.0;
    if (!options_.lambda) return at.fraction() / options_.anneal;
    const double lambda = options_.lambda->at(at, Over::kSteps);
    return lambda / (1.0 + lambda);
  }

  void map(const Progress& at, const torch::Tensor& latent, torch::Tensor& seen) const override {
    apply(stairs_, latent, seen);
    if (const double toward = share(at); toward < 1.0) blend(seen, latent, toward);
  }

  void round(const Progress& at, const torch::Tensor& latent, LowBitPoint& low_bit) override {
    LatentMethod::round(at, latent, low_bit);
    stairs_ = nearest(weights().layers, low_bit.quantized());
  }

  double penalty(const Progress& at) const override { return share(at); }

  void restore(const std::map<std::string, torch::Tensor>& /*state*/) override {
    stairs_ = nearest(weights().layers, low_bit().quantized());
  }

  Options options_;
  std::vector<Staircase> stairs_;
};

}  // namespace

MethodInfo binaryrelax_method() {
  return {
      .name = "binaryrelax",
      .summary = "weights blended with their rounding, ever more (BinaryRelax, Yin et al. 2018)",
      .options = {{"anneal", "0.8", "share of the run after which weights are fully rounded"},
                  {"lambda",
                   "",
                   "weight of the rounding, that of the weights being 1; a schedule over the "
                   "steps, in place of a linear growth of the share of the rounding"}},
      .paper = {{"lambda", "1*1.0404"}, {"finish-epochs", "0"}},
      .make = [](const Settings& settings) -> std::unique_ptr<Method> {
        return std::make_unique<BinaryRelax>(
            Options{.lambda = settings.optional_schedule("lambda"),
                    .anneal = settings.number("anneal", 0.0, 1.0)});
      }};
}

}  // namespace lastbit
