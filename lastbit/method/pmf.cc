#include "lastbit/method/mirror.h"

namespace lastbit {

// Proximal mean-field (Ajanthan et al. 2019): gradient descent through the softmax,
//
//     u = softmax(beta v~),   v~ = v~ - eta beta (diag(u) - u u^T) q g
//
// here with v~_l = q_l v - q_l^2 / 2, one latent weight v whose gradient is beta Var_u(q) g.
MethodInfo pmf_method() {
  return {
      .name = "pmf",
      .summary = "proximal mean-field: gradient descent through a softmax (Ajanthan et al. 2019)",
      .options = beta_option("1..20"),
      .paper = mirror_protocol("0.001*0.3@30000steps", "1*1.1@1000steps"),
      .make = [](const Settings& settings) {
        return make_mirror({.name = "pmf",
                            .softness = Softness::kSoftmax,
                            .chain = true,
                            .beta = settings.schedule("beta")});
      }};
}

}  // namespace lastbit
