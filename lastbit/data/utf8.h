#pragma once

#include <cstddef>
#include <string_view>

namespace lastbit {

/// Bytes of the code point that starts at `text[at]`, 1 to 4; 0 if no UTF-8 (RFC 3629) starts
/// there: bytes that continue nothing or are cut off, forms longer than need be, surrogates, and
/// numbers above U+10FFFF. `at` lies within `text`.
std::size_t utf8_length(std::string_view text, std::size_t at) noexcept;

/// @param where  begins the message, as "[text] folder/x.txt".
/// @throws FormatError that names byte and line if `text` is not UTF-8.
void require_utf8(std::string_view text, std::string_view where);

}  // namespace lastbit
