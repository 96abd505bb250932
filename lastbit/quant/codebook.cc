#include "lastbit/quant/codebook.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {

Codebook::Codebook(std::vector<float> levels) : levels_(std::move(levels)) {
  if (levels_.size() < 2 || levels_.size() > 256) {
    throw InputError(cat("[codebook] it has ", levels_.size(), " levels, expected 2 to 256"));
  }
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    if (!std::isfinite(levels_[i])) {
      throw InputError(
          cat("[codebook] levels[", i, "] is ", levels_[i], ", expected a finite value"));
    }
    if (i > 0 && levels_[i] <= levels_[i - 1]) {
      throw InputError(cat("[codebook] levels[",
                           i,
                           "] is ",
                           levels_[i],
                           ", expected more than the level before it, ",
                           levels_[i - 1]));
    }
  }
}

double Codebook::bits() const noexcept { return std::log2(static_cast<double>(levels_.size())); }

Code Codebook::nearest(float x) const noexcept {
  const auto above = std::upper_bound(levels_.begin(), levels_.end(), x);
  if (above == levels_.begin()) return 0;
  const auto index = static_cast<std::size_t>(above - levels_.begin());
  if (index == levels_.size()) return static_cast<Code>(index - 1);
  // Doubles keep the sum of two floats from overflowing and, for levels of similar size, exact.
  const double low = levels_[index - 1];
  const double high = levels_[index];
  const double twice = 2.0 * static_cast<double>(x);
  const bool up = twice != low + high ? twice > low + high : std::abs(high) >= std::abs(low);
  return static_cast<Code>(up ? index : index - 1);
}

}  // namespace lastbit
