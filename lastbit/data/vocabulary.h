#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lastbit {

/// What a text is read as.
enum class TextUnits : std::uint8_t { kWords, kCharacters };

/// "words" or "characters".
std::string_view to_string(TextUnits units) noexcept;
/// @throws InputError for another text. @param where  begins the message.
TextUnits parse_text_units(std::string_view text, std::string_view where);

inline constexpr std::string_view kUnknownWord = "<unk>";
inline constexpr std::string_view kEndOfLine = "<eos>";
/// U+FFFD, which stands for characters that a vocabulary lacks.
inline constexpr std::string_view kUnknownCharacter = "\xEF\xBF\xBD";
/// Most entries of a vocabulary.
inline constexpr std::size_t kMostEntries = std::size_t{1} << 20U;

/// The words, or characters, that a model knows, by their ids 0, 1, ... A plain value.
///
/// Words are what white space of ASCII separates; `<eos>` is the end of a line. Characters are
/// Unicode code points, as UTF-8.
class Vocabulary {
 public:
  /// @throws InputError if there are no entries or more than kMostEntries, or one is empty, is
  /// there
  ///     twice, is not UTF-8, or is no word or character.
  Vocabulary(TextUnits units, std::vector<std::string> entries, std::string_view where);

  /// The vocabulary of `text`, which is UTF-8. Words: by falling frequency, equal ones in the order
  /// of their bytes, `<unk>` last where the text lacks it. Characters: in the order of Unicode,
  /// then U+FFFD.
  /// @param most  entries at most: the most frequent words, and `<unk>`. 0 for all. For words
  /// alone.
  /// @throws InputError if the text is empty, or has more than kMostEntries.
  static Vocabulary of(std::string_view text,
                       TextUnits units,
                       std::string_view where,
                       std::size_t most = 0);

  /// Reads a JSON array of strings, as models keep it.
  /// @throws FormatError if it is none; InputError as the constructor.
  static Vocabulary from_json(std::string_view json, TextUnits units, std::string_view where);
  std::string to_json() const;

  TextUnits units() const noexcept { return units_; }
  std::int64_t size() const noexcept { return static_cast<std::int64_t>(entries_.size()); }
  std::span<const std::string> entries() const noexcept { return entries_; }
  /// The text of an id, which must be one.
  const std::string& operator[](std::int32_t id) const {
    return entries_[static_cast<std::size_t>(id)];
  }
  std::optional<std::int32_t> find(std::string_view entry) const;
  /// The id of what is not there: that of `<unk>` or U+FFFD, if it is an entry.
  std::optional<std::int32_t> unknown() const noexcept { return unknown_; }

  friend bool operator==(const Vocabulary& a, const Vocabulary& b) noexcept {
    return a.units_ == b.units_ && a.entries_ == b.entries_;
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };

  TextUnits units_;
  std::vector<std::string> entries_;
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> ids_;
  std::optional<std::int32_t> unknown_;
};

/// A text as ids.
struct TextPart {
  std::vector<std::int32_t> ids;
  std::int64_t unknown = 0;  ///< How many of them stand for what the vocabulary lacks.
  std::string from = {};     ///< Where it was read, for messages.
};

/// @param text  is UTF-8. @param where  begins messages.
/// @throws InputError for a word that is not there, where the vocabulary has no entry for those.
TextPart encode(std::string_view text, const Vocabulary& vocabulary, std::string_view where);

}  // namespace lastbit
