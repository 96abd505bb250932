#include "lastbit/train/rounds.h"

#include <algorithm>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {

Rounds::Rounds(const RoundLength& length, std::int64_t steps_an_epoch, std::int64_t total_steps)
    : total_steps_(total_steps) {
  if (length.count < 1 || length.first < 0) {
    throw InputError(cat("[train] round is ",
                         length.count < 1 ? length.count : length.first,
                         ", expected at least 1"));
  }
  if (length.least < 0) {
    throw InputError(cat("[train] rounds of a run are ", length.least, ", expected 0 or more"));
  }
  const std::int64_t unit = length.epochs ? steps_an_epoch : 1;
  others_ = length.count * unit;
  if (length.least > 0) {
    others_ = std::min(others_, std::max<std::int64_t>(1, total_steps / length.least));
  }
  first_ = length.first == 0 ? others_ : length.first * unit;
}

std::int64_t Rounds::total() const noexcept {
  if (total_steps_ <= first_) return 1;
  return 1 + (total_steps_ - first_ + others_ - 1) / others_;
}

bool Rounds::ends_at(std::int64_t steps_done) const noexcept {
  if (steps_done == total_steps_) return true;
  return steps_done >= first_ && (steps_done - first_) % others_ == 0;
}

}  // namespace lastbit
