#pragma once

#include <array>
#include <concepts>
#include <span>
#include <sstream>
#include <string>
#include <string_view>

namespace lastbit {

/// One argument of `cat`: text, which must outlive it, or a number. Not a template, so that each of
/// some four hundred messages costs its arguments and one call, not a stream of its own.
class Part {
 public:
  explicit Part(std::string_view text) : kind_(Kind::kText), text_(text) {}
  /// Any string class, LibTorch's views among them.
  template <typename Text>
  requires requires(const Text& text) { std::string_view(text.data(), text.size()); }
  explicit Part(const Text& text) : Part(std::string_view(text.data(), text.size())) {}
  explicit Part(const char* text) : Part(std::string_view(text)) {}
  explicit Part(char letter) : kind_(Kind::kLetter), letter_(letter) {}
  explicit Part(std::floating_point auto value) : kind_(Kind::kReal), real_(value) {}
  explicit Part(std::signed_integral auto value) : kind_(Kind::kSigned), signed_(value) {}
  explicit Part(std::unsigned_integral auto value) : kind_(Kind::kUnsigned), unsigned_(value) {}

  void append_to(std::string& out) const;

 private:
  enum class Kind : unsigned char { kText, kLetter, kReal, kSigned, kUnsigned };
  Kind kind_;
  union {
    std::string_view text_;
    char letter_;
    double real_;
    long long signed_;
    unsigned long long unsigned_;
  };
};

std::string cat_parts(std::span<const Part> parts);

/// Joins the arguments as `<<` prints them. For error messages, where the standard library's
/// `std::format` is missing from GCC 12.
template <typename... Parts>
std::string cat(const Parts&... parts) {
  return cat_parts(std::array<Part, sizeof...(parts)>{Part(parts)...});
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
