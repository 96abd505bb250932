#include "lastbit/base/random.h"

#include <bit>
#include <cmath>

namespace lastbit {
namespace {

std::uint64_t splitmix64(std::uint64_t& x) noexcept {
  std::uint64_t z = (x += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31U);
}

}  // namespace

Random::Random(std::uint64_t seed, std::uint64_t stream) noexcept : state_{} {
  // The stream is hashed before it meets the seed: seed 1 stream 0 must not equal seed 0 stream 1.
  std::uint64_t hashed = stream;
  std::uint64_t x = seed ^ splitmix64(hashed);
  for (std::uint64_t& word : state_) word = splitmix64(x);
}

std::uint64_t Random::next() noexcept {
  State& s = state_;
  const std::uint64_t result = std::rotl(s[0] + s[3], 23) + s[0];
  const std::uint64_t t = s[1] << 17U;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = std::rotl(s[3], 45);
  return result;
}

double Random::uniform() noexcept { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }

double Random::normal() noexcept {
  while (true) {
    const double u = uniform(-1.0, 1.0);
    const double v = uniform(-1.0, 1.0);
    const double s = u * u + v * v;
    if (s > 0.0 && s < 1.0) return u * std::sqrt(-2.0 * std::log(s) / s);
  }
}

std::uint64_t Random::below(std::uint64_t bound) noexcept {
  // Numbers below `reject` would make the small results likelier.
  const std::uint64_t reject = -bound % bound;
  while (true) {
    const std::uint64_t x = next();
    if (x >= reject) return x % bound;
  }
}

}  // namespace lastbit
