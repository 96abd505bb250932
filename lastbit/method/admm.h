#pragma once

#include <memory>

#include "lastbit/method/method.h"

namespace lastbit {

struct AdmmOptions {
  Schedule rho = 1e-2;  ///< Weight of the pull toward the low-bit point.
  bool extragradient =
      false;                ///< Two passes a step: predict, then correct from the starting point.
  double prediction = 1.0;  ///< The prediction's rate, as a multiple of the learning rate.
};

/// ADMM for low-bit weights: Leng et al. 2017 (arXiv 1707.09870), section 3.
///
/// @throws InputError if the prediction rate is not positive and finite.
std::unique_ptr<Method> make_admm(AdmmOptions options);

}  // namespace lastbit
