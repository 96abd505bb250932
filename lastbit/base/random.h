#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lastbit {

/// Random numbers that are the same on every machine and with every standard library, whose own
/// distributions are not.
///
/// Generator: xoshiro256++ (Blackman and Vigna 2021), seeded by splitmix64 as its authors advise.
/// The whole state is 32 bytes and can be saved.
class Random {
 public:
  using State = std::array<std::uint64_t, 4>;

  /// Streams of one seed are independent: give each image, layer or epoch its own.
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0) noexcept;
  explicit Random(const State& state) noexcept : state_(state) {}

  std::uint64_t next() noexcept;
  /// Uniform in [0, 1), 53 bits.
  double uniform() noexcept;
  /// Uniform in [low, high).
  double uniform(double low, double high) noexcept { return low + (high - low) * uniform(); }
  /// Normal with mean 0 and deviation 1 (Marsaglia's polar method; no cached second value).
  double normal() noexcept;
  /// Uniform in {0, ..., bound - 1}, without bias. `bound` is positive.
  std::uint64_t below(std::uint64_t bound) noexcept;

  template <typename T>
  void shuffle(std::span<T> items) noexcept {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

  const State& state() const noexcept { return state_; }

 private:
  State state_;
};

}  // namespace lastbit
