#pragma once

#include <span>
#include <vector>

#include "lastbit/quant/pools.h"
#include "lastbit/quant/scale_fit.h"

namespace lastbit {

/// A search for the best scale that knows between which scales it lies.
struct Bracket {
  double low;  ///< Scales, both included.
  double high;
  Fit base;                  ///< Of all steps taken above `high`.
  double gain;               ///< That some fit attains.
  std::vector<Range> ranges;  ///< (steps) that hold the weights which may take each step.
  std::vector<Pool> pools;    ///< (steps) the weights within.
};

/// Rules out scales, and with them weights, by what holds at some of them. Does not change the best
/// fit.
/// @param levels  of the one side, as in `Side`.
/// @param scales  ascending, from the bracket's low to its high
/// @param memory  for the weights left, room() for each step's from the step before's on; null: in
///     place, which pools that share weights may not.
/// @return false if sums in float do not serve, and the bracket is as it was
bool narrow_to(std::span<const float> levels,
               std::span<const double> scales,
               Bracket& bracket,
               float* memory = nullptr);

/// The same until few weights are left, or few fewer.
void narrow(std::span<const float> levels, Bracket& bracket);

}  // namespace lastbit
