#pragma once

#include <cstddef>
#include <cstdint>

#include "lastbit/runtime/kernels/product.h"

namespace lastbit {

/// What the codes of a block stand for, as bytes that Arm's products take: levels less the least
/// one, so that both factors are without a sign, or values less 128 where they exceed 127.
struct NeonDigits {
  std::uint8_t of[16];     ///< By the lowest 4 bits of a field, for fields of up to 4.
  std::uint32_t base = 0;  ///< What each digit is less by, modulo 2^32.
  unsigned largest = 0;    ///< The largest magnitude of a digit.
};

inline NeonDigits digits_of_levels(const WeightBlock& w) noexcept {
  NeonDigits digits = {.of = {}, .base = static_cast<std::uint32_t>(-128), .largest = 255};
  if (w.bits == 8) return digits;
  int least = w.levels[0];
  int most = least;
  for (std::size_t c = 1; c < std::size_t{1} << w.bits; ++c) {
    least = w.levels[c] < least ? w.levels[c] : least;
    most = w.levels[c] > most ? w.levels[c] : most;
  }
  const std::size_t codes = (std::size_t{1} << w.bits) - 1;
  for (std::size_t c = 0; c < 16; ++c) {
    digits.of[c] = static_cast<std::uint8_t>(w.levels[c & codes] - least);
  }
  digits.base = static_cast<std::uint32_t>(least);
  digits.largest = static_cast<unsigned>(most - least);
  return digits;
}

inline NeonDigits digits_of_values(int bits, const std::uint8_t* values) noexcept {
  NeonDigits digits = {};
  const std::size_t codes = (std::size_t{1} << bits) - 1;
  for (std::size_t c = 0; c < 16; ++c) {
    digits.of[c] = values == nullptr ? static_cast<std::uint8_t>(c & codes) : values[c & codes];
    digits.largest = digits.of[c] > digits.largest ? digits.of[c] : digits.largest;
  }
  if (digits.largest <= 127) return digits;
  for (std::uint8_t& digit : digits.of) digit ^= 0x80;
  digits.base = 128;
  digits.largest = 128;
  return digits;
}

}  // namespace lastbit
