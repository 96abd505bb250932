#pragma once

namespace lastbit {

/// The inverse slope of PARQ's proximal map between levels: 1 at the start of annealing, where it
/// is the identity, and 0 at its end, where it rounds (Jin et al. 2025, section 5). A sigmoid in
/// between, s(f) = (S(f) - S(1)) / (S(0) - S(1)) with S(f) = 1 / (1 + exp(steepness (f - 1/2))).
/// @param fraction   of the annealing that is done, in [0, 1].
/// @param steepness  positive.
double parq_inverse_slope(double fraction, double steepness);

}  // namespace lastbit
