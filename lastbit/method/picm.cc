#include "lastbit/method/mirror.h"

namespace lastbit {

// Proximal iterated conditional modes (Ajanthan et al. 2019): the softmax of proximal mean-field
// becomes its mode, and the gradient passes straight through,
//
//     w = q_l, l = argmax_l v~_l,   v~_l = v~_l - eta q_l g
//
// with v~_l = q_l v - q_l^2 / 2: w is the level nearest to v.
MethodInfo picm_method() {
  return {.name = "picm",
          .summary = "proximal ICM: straight through the nearest level (Ajanthan et al. 2019)",
          .make = [](const Settings& /*settings*/) {
            return make_mirror({.name = "picm", .softness = Softness::kHard});
          }};
}

}  // namespace lastbit
