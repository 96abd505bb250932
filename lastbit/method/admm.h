#pragma once

#include <memory>
#include <optional>

#include "lastbit/method/method.h"

namespace lastbit {

struct AdmmOptions {
  /// Weight of the pull toward the low-bit point, over the rounds. Where nothing is given it
  /// follows from `pull`.
  std::optional<Schedule> rho = {};
  /// How strongly a round pulls, free of scale: with a round of T steps of size s
  /// (Progress::step_size) rho = pull / (s T), and the pull alone would close all but e^-pull of
  /// the gap between a weight and its target. Much below 0.3 the duals grow faster than the weights
  /// can follow and the codes keep flipping; far above 1 the weights stay where they were first
  /// projected to.
  Schedule pull = Schedule::geometric(0.3, 5.0);
  /// rho doubles or halves after a round whose primal and dual residuals are a factor of ten apart
  /// (Boyd et al. 2011, section 3.4.1); rho or pull then say where it starts.
  bool balance = false;
  bool extragradient = false;  ///< Two passes a step: predict, then correct from the start.
  double prediction = 1.0;     ///< The prediction's rate, as a multiple of the learning rate.
};

/// ADMM for low-bit weights: Leng et al. 2017 (arXiv 1707.09870), section 3.
///
/// @throws InputError if the prediction rate is not positive and finite.
std::unique_ptr<Method> make_admm(const AdmmOptions& options);

}  // namespace lastbit
