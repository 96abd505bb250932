#pragma once

#include <cstddef>

namespace lastbit {

/// Size of the letters of the one font that LastBit draws with.
inline constexpr std::size_t kLetterWidth = 5;
inline constexpr std::size_t kLetterHeight = 7;

/// Whether a pixel of an ASCII letter is set; any other byte shows as '?'.
/// @param row, column  below kLetterHeight and kLetterWidth.
bool letter_pixel(char letter, std::size_t row, std::size_t column) noexcept;

}  // namespace lastbit
