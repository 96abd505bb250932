#include "lastbit/method/lc.h"

#include <string_view>
#include <utility>
#include <vector>

#include "lastbit/method/registry.h"
#include "lastbit/method/splitting.h"

namespace lastbit {
namespace {

MethodInfo row(std::string_view name, std::string_view summary) {
  std::vector<Advice> paper = lc_training();
  paper.insert(paper.end() - 1, {"mu", "9e-5*1.1"});
  return {.name = name,
          .summary = summary,
          .options = {{"pull",
                       "0.2..5",
                       "share of the gap to the codebook that a round closes, as a rate; a "
                       "schedule over the rounds, from which mu follows"},
                      {"mu",
                       "",
                       "the penalty itself, in place of the pull; a schedule over the rounds"}},
          .usual = {{"project-every", "auto:200steps"}},
          .paper = std::move(paper)};
}

std::unique_ptr<Method> make(const Settings& settings, bool augmented) {
  return make_lc({.augmented = augmented,
                  .mu = settings.optional_schedule("mu"),
                  .pull = settings.schedule("pull")});
}

}  // namespace

std::vector<Advice> lc_training() {
  return {{"epochs", "820"},
          {"project-every", "40epochs,20epochs"},
          {"batch", "256"},
          {"optimizer", "sgd"},
          {"momentum", "0.9"},
          {"learning-rate", "0.09*0.98@round"},
          {"weight-decay", "0"},
          {"finish-epochs", "0"}};
}

// The LC algorithm on  min L(w)  s.t.  w = Delta(Theta), Theta the codebooks, scales and codes:
//
//     L step       w      ~ argmin L(w) + mu/2 ||w - Delta(Theta) - lambda/mu||^2
//     C step       Theta  = Pi(w - lambda/mu), the projection
//     multipliers  lambda = lambda - mu (w - Delta(Theta))
//
// with mu growing from round to round, the learning rate clipped to 1/mu and a new optimizer for
// each L step (part I, sections 3 and 5). Without lambda it is the quadratic penalty. In the terms
// of ADMM, lambda = -mu u: at constant mu the two are one algorithm.
std::unique_ptr<Method> make_lc(const LcOptions& options) {
  return make_splitting({.name = options.augmented ? "lc" : "lc-qp",
                         .multipliers = options.augmented,
                         .penalty = options.mu,
                         .pull = options.pull,
                         .restart = true,
                         .clip = true});
}

MethodInfo lc_method() {
  MethodInfo info = row(
      "lc", "learning-compression, augmented Lagrangian (Carreira-Perpinan and Idelbayev 2017)");
  info.make = [](const Settings& settings) { return make(settings, true); };
  return info;
}

MethodInfo lc_qp_method() {
  MethodInfo info = row(
      "lc-qp", "learning-compression, quadratic penalty (Carreira-Perpinan and Idelbayev 2017)");
  info.make = [](const Settings& settings) { return make(settings, false); };
  return info;
}

}  // namespace lastbit
