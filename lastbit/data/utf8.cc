#include "lastbit/data/utf8.h"

#include <algorithm>
#include <cstdint>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {

std::size_t utf8_length(std::string_view text, std::size_t at) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() - at < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  }
  // What the first byte leaves open, the second decides.
  const unsigned char second = byte(1);
  const bool too_long = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second >= 0xA0;
  const bool too_large = first == 0xF4 && second >= 0x90;
  return too_long || surrogate || too_large ? 0 : length;
}

void require_utf8(std::string_view text, std::string_view where) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = utf8_length(text, at);
    if (length == 0) {
      const auto line = 1 + std::count(text.begin(), text.begin() + at, '\n');
      const auto value = static_cast<unsigned>(static_cast<unsigned char>(text[at]));
      throw FormatError(cat(where,
                            " is not UTF-8: byte ",
                            at,
                            ", in line ",
                            line,
                            ", is ",
                            value,
                            " and starts no character"));
    }
    at += length;
  }
}

}  // namespace lastbit
