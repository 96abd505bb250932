#include "lastbit/data/vocabulary.h"

#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/data/text_units.h"

namespace lastbit {
namespace {

constexpr std::array<std::string_view, 2> kUnits = {"words", "characters"};

std::string_view unknown_entry(TextUnits units) noexcept {
  return units == TextUnits::kWords ? kUnknownWord : kUnknownCharacter;
}

[[noreturn]] void fail_size(std::string_view where, TextUnits units, std::size_t size) {
  throw InputError(cat(where,
                       " has ",
                       size,
                       units == TextUnits::kWords ? " different words" : " different characters",
                       ", expected 1, ..., ",
                       kMostEntries));
}

// What is wrong with an entry by itself.
std::string_view fault_of(const std::string& entry, TextUnits units) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < entry.size(); ++count) {
    const std::size_t length = utf8_length(entry, at);
    if (length == 0) return "is not UTF-8";
    at += length;
  }
  if (count == 0) return "is empty";
  if (units == TextUnits::kCharacters) return count == 1 ? "" : "is more than one character";
  const bool one = entry.find('\n') == std::string::npos &&
                   entry.find_first_of(kWhiteSpace) == std::string::npos;
  return one ? "" : "holds white space";
}

using Counts = std::vector<std::pair<std::string_view, std::int64_t>>;

Counts count_units(std::string_view text, TextUnits units) {
  std::unordered_map<std::string_view, std::size_t> places;
  Counts counts;
  for_each_unit(text, units, [&](std::string_view unit, std::size_t) {
    const auto [found, is_new] = places.emplace(unit, counts.size());
    if (is_new) counts.emplace_back(unit, 0);
    ++counts[found->second].second;
  });
  return counts;
}

}  // namespace

std::string_view to_string(TextUnits units) noexcept {
  return kUnits[static_cast<std::size_t>(units)];
}

TextUnits parse_text_units(std::string_view text, std::string_view where) {
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    if (kUnits[i] == text) return static_cast<TextUnits>(i);
  }
  throw InputError(cat(where, " is '", text, "', expected ", join(kUnits, " or ")));
}

Vocabulary::Vocabulary(TextUnits units, std::vector<std::string> entries, std::string_view where)
    : units_(units), entries_(std::move(entries)) {
  if (entries_.empty() || entries_.size() > kMostEntries) fail_size(where, units, entries_.size());
  ids_.reserve(entries_.size());
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::string_view fault = fault_of(entries_[i], units);
    if (fault.empty() && !ids_.emplace(entries_[i], static_cast<std::int32_t>(i)).second) {
      fault = "is there twice";
    }
    if (!fault.empty()) {
      throw InputError(cat(where, ": entry ", i, " ('", entries_[i], "') ", fault));
    }
  }
  unknown_ = find(unknown_entry(units));
}

Vocabulary Vocabulary::of(std::string_view text,
                          TextUnits units,
                          std::string_view where,
                          std::size_t most) {
  Counts counts = count_units(text, units);
  const auto least = static_cast<std::size_t>(units == TextUnits::kWords ? 3 : 1);
  if (counts.empty() || counts.size() > kMostEntries) fail_size(where, units, counts.size());
  if (most != 0 && (units == TextUnits::kCharacters || most < least || most > kMostEntries)) {
    throw InputError(cat(where,
                         ": a vocabulary of ",
                         most,
                         " entries is asked for, expected ",
                         least,
                         ", ..., ",
                         kMostEntries,
                         " for words, and no number for characters"));
  }
  std::ranges::sort(counts, [&](const auto& a, const auto& b) {
    if (units == TextUnits::kWords && a.second != b.second) return a.second > b.second;
    return a.first < b.first;
  });
  const std::string_view unknown = unknown_entry(units);
  const auto place = std::ranges::find(counts, unknown, &Counts::value_type::first);
  const std::size_t wanted = counts.size() + (place == counts.end() ? 1 : 0);
  if (most != 0 && wanted > most) {
    // One place is kept for `<unk>`, which may be rare, or not there.
    const bool stays = place < counts.begin() + static_cast<std::ptrdiff_t>(most);
    counts.resize(stays ? most : most - 1);
    if (!stays) counts.emplace_back(unknown, 0);
  } else if (place == counts.end()) {
    counts.emplace_back(unknown, 0);
  }
  std::vector<std::string> entries;
  entries.reserve(counts.size());
  for (const auto& [unit, count] : counts) entries.emplace_back(unit);
  return {units, std::move(entries), where};
}

Vocabulary Vocabulary::from_json(std::string_view json, TextUnits units, std::string_view where) {
  const nlohmann::json parsed = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_array() ||
      !std::ranges::all_of(parsed, [](const nlohmann::json& item) { return item.is_string(); })) {
    throw FormatError(cat(where, " is no JSON array of strings"));
  }
  return {units, parsed.get<std::vector<std::string>>(), where};
}

std::string Vocabulary::to_json() const { return nlohmann::json(entries_).dump(); }

std::optional<std::int32_t> Vocabulary::find(std::string_view entry) const {
  const auto found = ids_.find(entry);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

TextPart encode(std::string_view text, const Vocabulary& vocabulary, std::string_view where) {
  TextPart part{.ids = {}, .unknown = 0, .from = std::string(where)};
  for_each_unit(text, vocabulary.units(), [&](std::string_view unit, std::size_t) {
    std::optional<std::int32_t> id = vocabulary.find(unit);
    if (!id) {
      id = vocabulary.unknown();
      ++part.unknown;
    }
    if (!id) {
      throw InputError(cat(where,
                           ": '",
                           unit,
                           "' is not in the vocabulary, which has no '",
                           unknown_entry(vocabulary.units()),
                           "' for such ",
                           to_string(vocabulary.units())));
    }
    part.ids.push_back(*id);
  });
  return part;
}

}  // namespace lastbit
