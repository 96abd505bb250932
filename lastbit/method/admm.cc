#include "lastbit/method/admm.h"

#include "lastbit/method/registry.h"
#include "lastbit/method/splitting.h"

namespace lastbit {

// Alternating direction method of multipliers for  min f(w)  s.t.  w in C, with scaled dual u.
//
//     proximal    w  ~ argmin f(w) + rho/2 ||w - z + u||^2     by the optimizer's steps of a round
//     projection  z  = P_C(w + u)
//     dual        u += w - z
//
// Source: Leng et al. 2017, section 3.2, equations (8)-(10), where z is G and u is lambda. The
// paper projects by alternating iteration, (16) and (17); ours is exact.
std::unique_ptr<Method> make_admm(const AdmmOptions& options) {
  return make_splitting({.name = "admm",
                         .penalty = options.rho,
                         .pull = options.pull,
                         .balance = options.balance,
                         .extragradient = options.extragradient,
                         .prediction = options.prediction});
}

MethodInfo admm_method() {
  return {.name = "admm",
          .summary = "alternating direction method of multipliers (Leng et al. 2017)",
          .options =
              {{"pull",
                "0.3..5",
                "share of the gap to the codebook that a round closes, as a rate; a schedule "
                "over the rounds, from which rho follows"},
               {"rho", "", "the penalty itself, in place of the pull; a schedule over the rounds"},
               {"balance", "false", "let the residuals steer rho from its first value on"},
               {"extragradient", "false", "two passes a step, predict and correct"},
               {"prediction", "1", "rate of the prediction, as a multiple of the learning rate"}},
          .paper = {{"extragradient", "true"},
                    {"batch", "256"},
                    {"learning-rate", "0.01"},
                    {"weight-decay", "1e-4"},
                    {"finish-epochs", "0"}},
          .make = [](const Settings& settings) {
            return make_admm({.rho = settings.optional_schedule("rho"),
                              .pull = settings.schedule("pull"),
                              .balance = settings.flag("balance"),
                              .extragradient = settings.flag("extragradient"),
                              .prediction = settings.number("prediction", 1e-6, 1e6)});
          }};
}

}  // namespace lastbit
