#include "lastbit/method/admm.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/method/fused.h"
#include "lastbit/method/residuals.h"

namespace lastbit {
namespace {

// Alternating direction method of multipliers for  min f(w)  s.t.  w in C, with scaled dual u.
//
//     proximal    w  ~ argmin f(w) + rho/2 ||w - z + u||^2     by the optimizer's steps of a round
//     projection  z  = P_C(w + u)
//     dual        u += w - z
//
// Source: Leng et al. 2017, section 3.2, equations (8)-(10), where z is G and u is lambda. The
// paper projects by alternating iteration, (16) and (17); ours is exact. When rho changes between
// rounds, u is rescaled so that the multiplier rho * u stays (Boyd et al. 2011, section 3.4.1).
class Admm final : public Method {
 public:
  explicit Admm(AdmmOptions options) : options_(options) {
    if (!std::isfinite(options_.prediction) || options_.prediction <= 0.0) {
      throw InputError(
          cat("[admm] prediction rate is ", options_.prediction, ", expected a positive number"));
    }
  }

  std::string_view name() const noexcept override { return "admm"; }

  void begin(Weights weights) override {
    w_ = std::move(weights);
    low_bit_ = project(w_.layers, w_.value);
    z_ = torch::empty_like(w_.value);
    decode(w_.layers, low_bit_, z_);
    u_ = torch::zeros_like(z_);
    target_ = z_.clone();
    if (options_.extragradient) start_ = torch::empty_like(z_);
  }

  int passes() const noexcept override { return options_.extragradient ? 2 : 1; }

  // The quadratic term's gradient; and in the extragradient's first pass the prediction
  //     w_p = w - beta_p (grad f(w) + rho (w - z + u)),
  // from whose gradient the optimizer then steps at w (section 3.3.1).
  void after_backward(const Progress& at, int pass) override {
    settle_rho(at);
    add_pull(w_.gradient, w_.value, target_, rho_);
    if (!options_.extragradient) return;
    if (pass == 0) {
      save_and_step(w_.value, start_, w_.gradient, options_.prediction * at.learning_rate);
    } else {
      w_.value.copy_(start_);
    }
  }

  Residuals end_round(const Progress& at) override {
    const torch::Tensor z_before = z_.clone();
    std::vector<Quantized> before = std::exchange(low_bit_, project(w_.layers, w_.value + u_));
    decode(w_.layers, low_bit_, z_);
    u_.add_(w_.value).sub_(z_);

    settle_rho(at);
    Progress next = at;
    ++next.round;
    const double rho = std::exchange(rho_, rho_in(next));
    // A cosine ends at 0, where the pull is gone and no rescaling keeps the multiplier.
    if (rho_ > 0.0) u_.mul_(rho / rho_);
    torch::sub_out(target_, z_, u_);
    return residuals(w_.value, z_, z_before, before, low_bit_, rho);
  }

  const std::vector<Quantized>& deployed() const noexcept override { return low_bit_; }

  std::map<std::string, torch::Tensor> state() const override {
    return {{"z", z_.clone()}, {"u", u_.clone()}, {"rho", torch::tensor(rho_, torch::kFloat64)}};
  }

  void load(const std::map<std::string, torch::Tensor>& state) override {
    z_.copy_(state.at("z"));
    u_.copy_(state.at("u"));
    rho_ = state.at("rho").item<double>();
    torch::sub_out(target_, z_, u_);
    low_bit_ = project(w_.layers, z_);
  }

 private:
  void settle_rho(const Progress& at) {
    if (rho_ == 0.0) rho_ = rho_in(at);
  }

  // rho of the round that `at` stands in; constant within a round.
  double rho_in(const Progress& at) const {
    const double rounds = static_cast<double>(std::max<std::int64_t>(1, at.total_rounds - 1));
    const double share = std::min(1.0, static_cast<double>(at.round) / rounds);
    if (options_.rho) return options_.rho->at(share, at.round);
    if (!(at.step_size > 0.0)) {
      throw InputError(cat("[admm] the step size is ",
                           at.step_size,
                           ", expected a positive number to derive rho from, or rho itself"));
    }
    return options_.pull.at(share, at.round) / (at.step_size * static_cast<double>(at.round_steps));
  }

  AdmmOptions options_;
  Weights w_;
  std::vector<Quantized> low_bit_;  // z as codes and scales
  torch::Tensor z_;                 // (total)
  torch::Tensor u_;                 // (total) scaled dual
  torch::Tensor target_;            // (total) z - u
  torch::Tensor start_;             // (total) w before the prediction
  double rho_ = 0.0;                // of the round at hand; 0 before the first step
};

}  // namespace

std::unique_ptr<Method> make_admm(AdmmOptions options) { return std::make_unique<Admm>(options); }

}  // namespace lastbit
