#pragma once

#include <span>
#include <sstream>
#include <string>
#include <string_view>

namespace lastbit {

/// Joins the arguments as `<<` prints them. For error messages, where the standard library's
/// `std::format` is missing from GCC 12.
template <typename... Parts>
std::string cat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return std::move(out).str();
}

/// "1, 28, 28" for {1, 28, 28}.
template <typename Range>
std::string join(const Range& items, std::string_view separator = ", ") {
  std::ostringstream out;
  bool first = true;
  for (const auto& item : items) {
    if (!first) out << separator;
    out << item;
    first = false;
  }
  return std::move(out).str();
}

/// True if `name` matches `pattern`, where `*` stands for any run of characters and `?` for one.
bool matches(std::string_view pattern, std::string_view name) noexcept;

}  // namespace lastbit
