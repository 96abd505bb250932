#pragma once

#include <string_view>

#include "lastbit/data/utf8.h"
#include "lastbit/data/vocabulary.h"

namespace lastbit {

inline constexpr std::string_view kWhiteSpace = " \t\r\v\f";

/// Calls `use(unit, end)` with each word of `text` and with `<eos>` for each line break, or with
/// each character, as they come; `end` is the byte behind it. @param text  is UTF-8.
template <typename Use>
void for_each_unit(std::string_view text, TextUnits units, const Use& use) {
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t end = at + 1;
    if (units == TextUnits::kCharacters) {
      end = at + utf8_length(text, at);
      use(text.substr(at, end - at), end);
    } else if (text[at] == '\n') {
      use(kEndOfLine, end);
    } else if (kWhiteSpace.find(text[at]) == std::string_view::npos) {
      while (end < text.size() && text[end] != '\n' &&
             kWhiteSpace.find(text[end]) == std::string_view::npos) {
        ++end;
      }
      use(text.substr(at, end - at), end);
    }
    at = end;
  }
}

}  // namespace lastbit
