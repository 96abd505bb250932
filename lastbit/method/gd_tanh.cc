#include "lastbit/method/mirror.h"

namespace lastbit {

// Gradient descent through the soft rounding, the baseline of mirror descent (Ajanthan et al.
// 2021):
//
//     w = tanh(beta v),   v = v - eta beta (1 - w^2) g
MethodInfo gd_tanh_method() {
  return {.name = "gd-tanh",
          .summary = "gradient descent through tanh (Ajanthan et al. 2021)",
          .options = beta_option("1..20"),
          .make = [](const Settings& settings) {
            return make_mirror({.name = "gd-tanh",
                                .softness = Softness::kTanh,
                                .chain = true,
                                .beta = settings.schedule("beta")});
          }};
}

}  // namespace lastbit
