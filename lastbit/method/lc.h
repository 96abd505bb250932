#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "lastbit/method/registry.h"

namespace lastbit {

struct LcOptions {
  /// False leaves the multipliers out: the quadratic-penalty form.
  bool augmented = true;
  /// The penalty of each L step, a schedule over the rounds; the papers' is 9e-5*1.1. Where nothing
  /// is given it follows from `pull`.
  std::optional<Schedule> mu = {};
  /// mu free of scale: with an L step of T optimizer steps of size s (Progress::step_size)
  /// mu = pull / (s T). The papers' mu is a pull of 0.4..16, over 40 rounds of 20 epochs; the fewer
  /// the rounds, the lower it must start for codes to change at all.
  Schedule pull = Schedule::geometric(0.2, 5.0);
};

/// LC, learning-compression: Carreira-Perpinan and Idelbayev 2017 (arXiv 1707.01209, 1707.04319).
/// A round is an L step followed by a C step.
std::unique_ptr<Method> make_lc(const LcOptions& options);

/// The authors' training of LeNet300 for LC, which they also gave iterated direct compression: 40
/// rounds of 20 epochs, the first of 40.
std::vector<Advice> lc_training();

}  // namespace lastbit
