#include "lastbit/method/splitting.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/method/fused.h"

namespace lastbit {
namespace {

// When the penalty changes between rounds, u is rescaled so that the multiplier penalty * u stays
// (Boyd et al. 2011, section 3.4.1).
class Splitting final : public Method {
 public:
  explicit Splitting(SplittingOptions options) : options_(options) {
    if (!std::isfinite(options_.prediction) || options_.prediction <= 0.0) {
      throw InputError(cat("[",
                           options_.name,
                           "] prediction rate is ",
                           options_.prediction,
                           ", expected a positive number"));
    }
  }

  std::string_view name() const noexcept override { return options_.name; }

  void begin(Weights weights) override {
    w_ = std::move(weights);
    z_.begin(w_);
    u_ = torch::zeros_like(w_.value);
    target_ = z_.value().clone();
    if (options_.extragradient) start_ = torch::empty_like(w_.value);
  }

  // Past 1 / penalty a step overshoots the minimum of the penalty alone (Carreira-Perpinan and
  // Idelbayev 2017, part I, theorem 5.3).
  double learning_rate(const Progress& at, double scheduled) const override {
    if (!options_.clip) return scheduled;
    const double penalty = penalty_ == 0.0 ? penalty_in(at) : penalty_;
    return penalty > 0.0 ? std::min(scheduled, 1.0 / penalty) : scheduled;
  }

  int passes() const noexcept override { return options_.extragradient ? 2 : 1; }
  bool restarts_optimizer() const noexcept override { return options_.restart; }

  // The quadratic term's gradient; and in the extragradient's first pass the prediction
  //     w_p = w - beta_p (grad L(w) + penalty (w - z + u)),
  // from whose gradient the optimizer then steps at w (Leng et al. 2017, section 3.3.1).
  void after_backward(const Progress& at, int pass) override {
    settle_penalty(at);
    add_pull(w_.gradient, w_.value, target_, penalty_);
    if (!options_.extragradient) return;
    if (pass == 0) {
      save_and_step(w_.value, start_, w_.gradient, options_.prediction * at.learning_rate);
    } else {
      w_.value.copy_(start_);
    }
  }

  Residuals end_round(const Progress& at) override {
    settle_penalty(at);
    const double penalty = penalty_;
    if (options_.multipliers) {
      z_.project(w_.value + u_);
      u_.add_(w_.value).sub_(z_.value());
    } else {
      z_.project(w_.value);
    }
    const Residuals result = z_.residuals(w_.value, penalty, multipliers(penalty));

    Progress next = at;
    ++next.round;
    penalty_ = options_.balance ? balanced(result) : penalty_in(next);
    // A cosine ends at 0, where the pull is gone and no rescaling keeps the multiplier.
    if (penalty_ > 0.0) u_.mul_(penalty / penalty_);
    torch::sub_out(target_, z_.value(), u_);
    return result;
  }

  torch::Tensor seen(const Progress& /*at*/) const override { return w_.value; }
  const std::vector<Quantized>& deployed() const noexcept override { return z_.quantized(); }

  std::map<std::string, torch::Tensor> state() const override {
    std::map<std::string, torch::Tensor> result = {
        {"z", z_.value().clone()},
        {"u", u_.clone()},
        {"penalty", torch::tensor(penalty_, torch::kFloat64)}};
    z_.save(result);
    return result;
  }

  void load(const std::map<std::string, torch::Tensor>& state) override {
    z_.load(state);
    u_.copy_(state.at("u"));
    penalty_ = state.at("penalty").item<double>();
    torch::sub_out(target_, z_.value(), u_);
  }

 private:
  void settle_penalty(const Progress& at) {
    if (penalty_ == 0.0) penalty_ = penalty_in(at);
  }

  // Of the round that `at` stands in; constant within a round.
  double penalty_in(const Progress& at) const {
    if (options_.penalty) return options_.penalty->at(at, Over::kRounds);
    if (!(at.step_size > 0.0)) {
      throw InputError(cat("[",
                           options_.name,
                           "] the step size is ",
                           at.step_size,
                           ", expected a positive number to derive the penalty from, or the "
                           "penalty itself"));
    }
    return options_.pull.at(at, Over::kRounds) /
           (at.step_size * static_cast<double>(at.round_steps));
  }

  // Boyd et al. 2011, equation (3.13). Both residuals are relative to ||w||, the dual one in units
  // of the penalty, so that their comparison is free of scale.
  double balanced(const Residuals& residuals) const {
    constexpr double kApart = 10.0;
    constexpr double kFactor = 2.0;
    if (residuals.primal > kApart * residuals.dual) return penalty_ * kFactor;
    if (residuals.dual > kApart * residuals.primal) return penalty_ / kFactor;
    return penalty_;
  }

  torch::Tensor multipliers(double penalty) const {
    return options_.multipliers ? u_ * penalty : torch::Tensor();
  }

  SplittingOptions options_;
  Weights w_;
  LowBitPoint z_;
  torch::Tensor u_;       // (total) scaled dual
  torch::Tensor target_;  // (total) z - u
  torch::Tensor start_;   // (total) w before the prediction
  double penalty_ = 0.0;  // of the round at hand; 0 before the first step
};

}  // namespace

std::unique_ptr<Method> make_splitting(const SplittingOptions& options) {
  return std::make_unique<Splitting>(options);
}

}  // namespace lastbit
