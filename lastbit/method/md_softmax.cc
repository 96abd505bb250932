#include "lastbit/method/mirror.h"

namespace lastbit {

// Mirror descent on a probability u_l for each level q_l, w = sum_l q_l u_l, with the negative
// entropy as the mirror map: exponentiated gradient (Ajanthan et al. 2021),
//
//     u_l = u_l exp(-beta eta g_l) / sum_m u_m exp(-beta eta g_m)
//
// and the stable form, md-softmax-s, u = softmax(beta v~), v~_l = v~_l - eta g_l. The gradient of
// u_l is g_l = q_l g, so all v~_l move together, by q_l times one number: v~_l = q_l v + constant,
// and v is all there is to store. The constant, which the first u_l decide, is that of the squared
// distance |v - q_l|^2 / 2, so that the largest u_l is that of the level nearest to v.

MethodInfo md_softmax_method() {
  return {.name = "md-softmax",
          .summary = "mirror descent, softmax: exponentiated gradient (Ajanthan et al. 2021)",
          .options = beta_option("1..200"),
          .paper = mirror_protocol("0.001*0.2@30000steps", "1*1.02@200steps"),
          .make = [](const Settings& settings) {
            return make_mirror({.name = "md-softmax",
                                .softness = Softness::kSoftmax,
                                .keep = Keep::kWeight,
                                .beta = settings.schedule("beta")});
          }};
}

MethodInfo md_softmax_s_method() {
  return {.name = "md-softmax-s",
          .summary = "mirror descent, softmax, numerically stable (Ajanthan et al. 2021)",
          .options = beta_option("1..200"),
          .paper = mirror_protocol("0.001*0.3@30000steps", "1*1.02@200steps"),
          .make = [](const Settings& settings) {
            return make_mirror({.name = "md-softmax-s",
                                .softness = Softness::kSoftmax,
                                .beta = settings.schedule("beta")});
          }};
}

}  // namespace lastbit
