#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lastbit {

/// Index of a level in its codebook, 0 for the lowest level.
using Code = std::uint8_t;

/// The finite levels that a weight may take, before any scale.
class Codebook {
 public:
  /// @param levels  ascending and distinct, 2 to 256 of them, finite.
  /// @throws InputError naming the first level that breaks this.
  explicit Codebook(std::vector<float> levels);

  std::span<const float> levels() const noexcept { return levels_; }
  int size() const noexcept { return static_cast<int>(levels_.size()); }
  float operator[](Code code) const noexcept { return levels_[code]; }

  /// Information in a code, log2(size()). What it takes in a file depends on packing (digits.h).
  double bits() const noexcept;

  /// Code of the level nearest to `x`. A tie goes to the level of larger magnitude, and between -a
  /// and +a to +a: so sgn(0) = +1, and rounding commutes with the sign everywhere else.
  /// `x` must not be NaN; infinities go to the outermost levels.
  Code nearest(float x) const noexcept;

  friend bool operator==(const Codebook&, const Codebook&) = default;

 private:
  std::vector<float> levels_;
};

}  // namespace lastbit
