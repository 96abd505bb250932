#pragma once

#include <cstdint>

namespace lastbit {

/// How often a method projects: the length of its rounds.
struct RoundLength {
  std::int64_t count = 1;
  bool epochs = true;      ///< else optimizer steps
  std::int64_t first = 0;  ///< of the first round, in the same unit; 0: as the others
  /// Rounds that a run has at least, shorter ones where it has too few steps for them; 0: any.
  std::int64_t least = 0;
};

/// Where the rounds of a run end, in optimizer steps.
class Rounds {
 public:
  /// @param total_steps  of the run; the last round ends there, whole or not.
  /// @throws InputError for lengths that are not positive.
  Rounds(const RoundLength& length, std::int64_t steps_an_epoch, std::int64_t total_steps);

  std::int64_t total() const noexcept;
  /// Of round `round`, 0 for the first.
  std::int64_t steps(std::int64_t round) const noexcept { return round == 0 ? first_ : others_; }
  /// Whether a round ends after `steps_done` steps.
  bool ends_at(std::int64_t steps_done) const noexcept;

 private:
  std::int64_t first_;
  std::int64_t others_;
  std::int64_t total_steps_;
};

}  // namespace lastbit
