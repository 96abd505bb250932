#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "lastbit/method/method.h"

namespace lastbit {

/// What ADMM and LC share and where they differ: see make_splitting.
struct SplittingOptions {
  std::string_view name;  ///< of the method
  bool multipliers = true;
  /// Weight of the pull toward the low-bit point, over the rounds. Where nothing is given it
  /// follows from `pull`.
  std::optional<Schedule> penalty = {};
  /// How strongly a round pulls, free of scale: with a round of T steps of size s
  /// (Progress::step_size) penalty = pull / (s T), and the pull alone would close all but e^-pull
  /// of the gap between a weight and its target.
  Schedule pull = 1.0;
  bool balance = false;  ///< The penalty's first value alone is used; then residuals steer it.
  bool restart = false;  ///< A new optimizer each round.
  bool clip = false;     ///< The learning rate is at most 1 / penalty.
  bool extragradient = false;  ///< Two passes a step: predict, then correct from the start.
  double prediction = 1.0;     ///< The prediction's rate, as a multiple of the learning rate.
};

/// min L(w) + penalty/2 ||w - z + u||^2 in w by the optimizer's steps of a round, then the
/// projection z of w + u on the sets, then u += w - z: the alternating direction method of
/// multipliers with scaled duals. With a penalty that grows and long rounds it is the LC
/// algorithm's augmented Lagrangian (lambda = -penalty u); without multipliers (u = 0) its
/// quadratic penalty.
///
/// @throws InputError if the prediction rate is not positive and finite.
std::unique_ptr<Method> make_splitting(const SplittingOptions& options);

}  // namespace lastbit
