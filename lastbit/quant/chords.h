#pragma once

#include <array>
#include <optional>
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

/// Some scales, ascending.
using Scales = std::array<double, Pool::kThresholds>;

/// The gain of each scale within the bracket, divided by it, nearly.
/// @param levels  of the one side, as in `Side`.
Scales values_at(std::span<const float> levels, const Scales& scales, const Bracket& bracket);

/// Rules out scales, and with them weights, by what holds at some of them. Does not change the best
/// fit.
/// @param levels  of the one side, as in `Side`.
/// @param scales  within the bracket, whose ends are among them if nothing is known there
/// @param memory  for the weights left, room() for each step's from the step before's on; null: in
///     place, which pools that share weights may not.
/// @return false if sums in float do not serve, and the bracket is as it was
bool narrow_to(std::span<const float> levels,
               const Scales& scales,
               Bracket& bracket,
               float* memory = nullptr);

/// The same until few weights are left, or few fewer, and sorts them.
NarrowSearch narrow(std::span<const float> levels, Bracket& bracket);

/// The best scale of two levels, searched for about a guess from a sample of the weights: for up to
/// some thousands of weights.
/// @return nothing if the weights do not allow for it, such as few distinct ones
std::optional<double> best_scale_by_guess(std::span<const float> weights,
                                          std::span<const float> levels);

}  // namespace lastbit
