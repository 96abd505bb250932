#pragma once

#include <memory>
#include <string_view>

#include "lastbit/method/method.h"
#include "lastbit/method/registry.h"
#include "lastbit/method/soft_levels.h"

namespace lastbit {

/// What a method of this family keeps of a weight as beta grows.
enum class Keep : std::uint8_t {
  kWeight,  ///< the weight w that the network sees: mirror descent as the theory has it
  kLatent,  ///< the latent weight v: the stable form
};

/// See make_mirror.
struct MirrorOptions {
  std::string_view name;  ///< of the method
  Softness softness = Softness::kTanh;
  Keep keep = Keep::kLatent;
  bool chain = false;  ///< The latent weights move by their own gradient, not by that of w.
  /// Over the rounds; what exceeds 1e35 acts as 1e35, with `chain` 1e4. Nothing to kHard.
  Schedule beta = 1.0;
};

/// Mirror descent and its relatives: latent (dual) weights v, of which the network sees
/// w = a P_beta(v / a), P a soft rounding to the levels (see SoftLevels), a the scale of the
/// low-bit set.
///
///     v = v + d,    d what the optimizer does with the gradient at w
///
/// Where beta is constant that is mirror descent with the mirror map Phi = int P^-1,
///
///     P^-1(w) = P^-1(w) + d,
///
/// in the one arithmetic that float32 does not spoil: w never has to tell 1 - 1e-9 from 1. Where
/// beta changes between rounds, kWeight moves v so that w stays: v = P_beta'^-1(P_beta(v)).
///
/// The latent weights start as the reference's: near beta = 1 the map is close to the identity, and
/// weights outside the hull of the levels keep their distance from it. Deployed is the nearest
/// level of v. In the stable forms a (and a learned codebook) are those of the projection of v,
/// anew each round; with Keep::kWeight, where v is determined by w and beta alone, a stays that of
/// the reference.
/// @throws InputError from `begin`, for kTanh, naming a layer that is neither binary nor ternary.
std::unique_ptr<Method> make_mirror(const MirrorOptions& options);

/// The number x' whose ternary tanh map with sharpness `next` is that of `x` with `beta`:
/// P_next(x') = P_beta(x). Nothing overflows, and nothing is lost where P is next to a level, for
/// sharpness up to 1e35.
double keep_ternary(double x, double beta, double next);

/// The option --beta; `fallback` outlives the table of methods.
std::vector<OptionInfo> beta_option(std::string_view fallback);

/// The papers' protocol for CIFAR, with what differs between methods.
std::vector<Advice> mirror_protocol(std::string_view learning_rate, std::string_view beta);

}  // namespace lastbit
