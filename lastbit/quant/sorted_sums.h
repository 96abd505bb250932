#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace lastbit {

/// Sums over sorted values, about a centre that keeps them small: mass (importance), value and
/// square, each times its importance.
struct Sums {
  double mass = 0.0;
  double value = 0.0;
  double square = 0.0;

  Sums& operator+=(const Sums& other) noexcept {
    mass += other.mass;
    value += other.value;
    square += other.square;
    return *this;
  }
  friend Sums operator-(const Sums& a, const Sums& b) noexcept {
    return {a.mass - b.mass, a.value - b.value, a.square - b.square};
  }

  /// The squared error about the mean.
  double error() const noexcept {
    const double result = square - value * value / mass;
    return result > 0.0 ? result : 0.0;
  }
};

class SortedSums {
 public:
  /// @param values      ascending, not empty
  /// @param importance  of each, above 0; empty: all 1. Both must outlive this.
  SortedSums(std::span<const float> values, std::span<const float> importance);

  std::size_t size() const noexcept { return values_.size(); }
  double centre() const noexcept { return centre_; }

  /// The i-th smallest value, about the centre.
  double operator[](std::size_t i) const noexcept {
    return static_cast<double>(values_[i]) - centre_;
  }

  /// Of the `count` smallest.
  Sums first(std::size_t count) const noexcept;

  /// How many values lie below `value`, which is about the centre.
  std::size_t below(double value) const noexcept;

 private:
  static constexpr std::size_t kBlock = 64;

  Sums sum(std::size_t begin, std::size_t end) const noexcept;

  std::span<const float> values_;
  std::span<const float> importance_;
  double centre_ = 0.0;
  std::vector<Sums> blocks_;  // of the kBlock * i smallest
};

}  // namespace lastbit
