#include "lastbit/method/mirror.h"

namespace lastbit {

// Mirror descent with P(x) = tanh(beta x) for levels -1, 1 (Ajanthan et al. 2021), x a weight over
// its scale. The mirror map 1/(2 beta) [(1 + w) log(1 + w) + (1 - w) log(1 - w)] gives
//
//     r = (1 + w) / (1 - w) exp(-2 beta eta g),   w = (r - 1) / (r + 1)
//
// which is w = tanh(atanh(w) - beta eta g); -eta g stands for what the optimizer does. The stable
// form, md-tanh-s, keeps v, not w, where beta grows:
//
//     w = tanh(beta v),   v = v - eta g,   g the gradient at w
//
// For levels -1, 0, 1 P is the mean of tanh(beta (x + 1/2)) and tanh(beta (x - 1/2)).

MethodInfo md_tanh_method() {
  return {.name = "md-tanh",
          .summary = "mirror descent, tanh (Ajanthan et al. 2021)",
          .options = beta_option("1..200"),
          .paper = mirror_protocol("0.001*0.3@30000steps", "1*1.01@100steps"),
          .make = [](const Settings& settings) {
            return make_mirror({.name = "md-tanh",
                                .softness = Softness::kTanh,
                                .keep = Keep::kWeight,
                                .beta = settings.schedule("beta")});
          }};
}

MethodInfo md_tanh_s_method() {
  return {
      .name = "md-tanh-s",
      .summary = "mirror descent, tanh, numerically stable (Ajanthan et al. 2021)",
      .options = beta_option("1..200"),
      .paper = mirror_protocol("0.001*0.3@30000steps", "1*1.02@200steps"),
      .make = [](const Settings& settings) {
        return make_mirror(
            {.name = "md-tanh-s", .softness = Softness::kTanh, .beta = settings.schedule("beta")});
      }};
}

}  // namespace lastbit
