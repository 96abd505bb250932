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
  double value_low;  ///< No less than the gain / scale just above `low`, or infinite.
  double value_high;
  Fit base;                   ///< Of all steps taken above `high`.
  double gain;                ///< That some fit attains.
  std::vector<Range> ranges;  ///< (steps) that hold the weights which may take each step.
  std::vector<Pool> pools;    ///< (steps) the weights within.
  Fit attained = {};          ///< As of NarrowSearch.
};

/// The gain of a scale within the bracket, divided by it, nearly.
/// @param levels  of the one side, as in `Side`.
double value_at(std::span<const float> levels, double scale, const Bracket& bracket);

/// A scale, and what its gain / scale is at most.
struct Knot {
  double scale;
  double most;
};

/// Rules out scales, and with them weights, by what they gain at most. Does not change the best
/// fit.
/// @param levels  of the one side, as in `Side`.
/// @param knots   ascending, not below the bracket; those above it do not count. Its ends are among
///     them if nothing is known there.
/// @param memory  for the weights left, and room() for all that a step has besides; empty: in
/// place,
///     which pools that share weights may not.
/// @return false if sums in float do not serve, and the bracket is as it was, or if memory does not
///     suffice
bool narrow_to(std::span<const float> levels,
               std::span<const Knot> knots,
               Bracket& bracket,
               std::span<float> memory = {});

/// The best scale within a bracket. Narrows it until few weights are left, or few fewer, and sweeps
/// these.
double best_scale(std::span<const float> levels, Bracket& bracket);

}  // namespace lastbit
