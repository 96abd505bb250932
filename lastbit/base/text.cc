#include "lastbit/base/text.h"

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdio>

namespace lastbit {

void Part::append_to(std::string& out) const {
  std::array<char, 32> digits;  // of any 64-bit integer, and of six significant digits
  char* const first = digits.data();
  char* const last = first + digits.size();
  switch (kind_) {
    case Kind::kText:
      out += text_;
      break;
    case Kind::kLetter:
      out += letter_;
      break;
    case Kind::kReal:  // as a stream prints it
      out.append(first, static_cast<std::size_t>(std::snprintf(first, digits.size(), "%g", real_)));
      break;
    case Kind::kSigned:
      out.append(first, std::to_chars(first, last, signed_).ptr);
      break;
    case Kind::kUnsigned:
      out.append(first, std::to_chars(first, last, unsigned_).ptr);
      break;
  }
}

std::string cat_parts(std::span<const Part> parts) {
  std::string out;
  for (const Part& part : parts) part.append_to(out);
  return out;
}

// Greedy matching with one point of return: the last `*` seen. Linear in practice, never recursive,
// so a hostile pattern cannot exhaust the stack.
bool matches(std::string_view pattern, std::string_view name) noexcept {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace lastbit
