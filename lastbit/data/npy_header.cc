#include "lastbit/data/npy_header.h"

#include <charconv>
#include <cstddef>
#include <optional>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

// NumPy itself stops at 32 (64 from version 2).
constexpr std::size_t kMaxDimensions = 64;

// The part of Python's literals that npy headers use.
class Parser {
 public:
  Parser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  NpyHeader header() {
    std::optional<std::string> dtype;
    std::optional<bool> fortran_order;
    std::optional<std::vector<std::int64_t>> shape;
    expect('{');
    while (!accept('}')) {
      const std::size_t at = at_;
      const std::string key = string();
      expect(':');
      bool fresh = true;
      if (key == "descr") {
        fresh = !dtype;
        dtype = string();
      } else if (key == "fortran_order") {
        fresh = !fortran_order;
        fortran_order = boolean();
      } else if (key == "shape") {
        fresh = !shape;
        shape = tuple();
      } else {
        fail_at(at, cat("an unknown key '", key, "'"), "descr, fortran_order or shape");
      }
      if (!fresh) fail_at(at, cat("the key '", key, "' again"), "each key once");
      if (accept('}')) break;
      expect(',');
    }
    skip_spaces();
    if (at_ != text_.size()) fail("the end of the header");
    if (!dtype || !fortran_order || !shape) {
      throw FormatError(cat("[npy] ",
                            where_,
                            ": the header lacks '",
                            !dtype           ? "descr"
                            : !fortran_order ? "fortran_order"
                                             : "shape",
                            "'"));
    }
    return {.dtype = *dtype, .fortran_order = *fortran_order, .shape = *shape};
  }

 private:
  [[noreturn]] void fail_at(std::size_t at,
                            const std::string& got,
                            std::string_view expected) const {
    throw FormatError(cat(
        "[npy] ", where_, ": the header has ", got, " at character ", at, ", expected ", expected));
  }

  [[noreturn]] void fail(std::string_view expected) const {
    if (at_ >= text_.size()) fail_at(at_, "its end", expected);
    const auto code = static_cast<unsigned char>(text_[at_]);
    const bool plain = code >= 0x20U && code < 0x7fU;
    fail_at(at_, plain ? cat("'", text_[at_], "'") : cat("byte ", int{code}), expected);
  }

  void skip_spaces() noexcept {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }

  bool accept(char wanted) noexcept {
    skip_spaces();
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  void expect(char wanted) {
    if (!accept(wanted)) fail(cat("'", wanted, "'"));
  }

  std::string string() {
    skip_spaces();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') fail("a quoted word");
    const std::size_t begin = ++at_;
    while (at_ < text_.size() && text_[at_] != quote) {
      const auto code = static_cast<unsigned char>(text_[at_]);
      if (code < 0x20U || code >= 0x7fU || code == '\\') fail("a letter, digit or sign");
      ++at_;
    }
    if (at_ >= text_.size()) fail("a closing quote");
    return std::string(text_.substr(begin, at_++ - begin));
  }

  bool boolean() {
    skip_spaces();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return value;
      }
    }
    fail("True or False");
  }

  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> items;
    expect('(');
    while (!accept(')')) {
      if (items.size() == kMaxDimensions) fail(cat("at most ", kMaxDimensions, " dimensions"));
      items.push_back(integer());
      // Python tells (3,) the tuple from (3) the number by the comma.
      const bool comma = accept(',');
      if (!comma && items.size() == 1) fail("','");
      if (!comma) {
        expect(')');
        break;
      }
    }
    return items;
  }

  std::int64_t integer() {
    skip_spaces();
    std::int64_t value = 0;
    const char* const begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc{} || value < 0) fail("a number from 0 to 2^63 - 1");
    at_ += static_cast<std::size_t>(end - begin);
    return value;
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0;
};

}  // namespace

NpyHeader parse_npy_header(std::string_view text, const std::string& where) {
  return Parser(text, where).header();
}

}  // namespace lastbit
