#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lastbit/quant/chords.h"
#include "lastbit/quant/pools.h"

namespace lastbit {

/// Rules out most scales of some levels in one pass over all weights that compares each with a few
/// thresholds, laid out once about a guess of the best scale.
class FirstLook {
 public:
  /// @param levels  of the one side, as in `Side`, 2 to kMostLevels, not negative
  explicit FirstLook(std::span<const float> levels);

  static constexpr std::size_t kMostLevels = 8;

  /// Narrows a bracket that knows of nothing: its pools are all `all`.
  /// @param about  the guess
  /// @param largest  magnitude
  /// @param next  where the weights lie that are likely to be looked at next; need not be any
  /// @param memory  for the weights left
  /// @return false if sums in float do not serve or memory does not suffice
  bool narrow(const Pool& all,
              const float* next,
              double about,
              float largest,
              Bracket& bracket,
              std::span<float> memory) const;

 private:
  static constexpr std::size_t kMostThresholds = 32;
  static constexpr std::size_t kScales = 29;

  // What a step adds to K at a scale: a chord between two neighbours of the thresholds, 0 before
  // them.
  struct Term {
    std::uint8_t scale;
    std::uint8_t point;
    double left;
    double right;
  };
  // The same beyond the last threshold.
  struct Tail {
    std::uint8_t scale;
    double threshold;
    double rise;  // twice
  };
  // A step at a scale whose threshold is among ours, the scales of each step side by side.
  struct Core {
    std::uint8_t point;
    double rise;  // twice
  };

  void lay_out_thresholds();
  void lay_out_scales();

  std::vector<float> levels_;
  // All as multiples of the guess.
  std::vector<double> thresholds_;  // ascending, whole rows of Pool::kThresholds
  std::vector<Term> terms_;
  std::vector<Tail> tails_;
  std::vector<Core> cores_;
};

/// The best scale, searched for about a guess: for up to some thousands of weights.
/// @param look  of the levels
/// @param expected  the best scale over the mean magnitude, about; 0: a sample of the weights tells
/// @return nothing if the weights do not allow for it, such as few distinct ones
std::optional<double> best_scale_by_guess(std::span<const float> weights,
                                          std::span<const float> levels,
                                          const FirstLook& look,
                                          double expected = 0.0);

}  // namespace lastbit
