#pragma once

#include <memory>
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
  Fit base;                  ///< Of all steps taken above `high`.
  double gain;               ///< That some fit attains.
  std::vector<Range> ranges;  ///< (steps) that hold the weights which may take each step.
  std::vector<Pool> pools;    ///< (steps) the weights within.
};

/// The gain of each scale within the bracket, divided by it, nearly.
/// @param levels  of the one side, as in `Side`.
std::vector<double> values_at(std::span<const float> levels,
                              std::span<const double> scales,
                              const Bracket& bracket);

/// Rules out scales, and with them weights, by what holds at some of them. Does not change the best
/// fit.
/// @param levels  of the one side, as in `Side`.
/// @param scales  ascending, within the bracket, whose ends are among them if nothing is known there
/// @param memory  for the weights left, room() for each step's from the step before's on; null: in
///     place, which pools that share weights may not.
/// @return false if sums in float do not serve, and the bracket is as it was
bool narrow_to(std::span<const float> levels,
               std::span<const double> scales,
               Bracket& bracket,
               float* memory = nullptr);

/// The same until few weights are left, or few fewer, and sorts them.
NarrowSearch narrow(std::span<const float> levels, Bracket& bracket);

/// Narrows a search to the scales about a guess from a sample of the weights: for few levels and
/// up to some thousands of weights.
/// @param weights  at least some hundred
/// @param largest  magnitude, above 0
/// @return nothing if too many weights are left
std::optional<Bracket> bracket_of_guess(std::span<const float> weights,
                                        std::span<const float> levels,
                                        float largest,
                                        std::unique_ptr<float[]>& memory);

}  // namespace lastbit
