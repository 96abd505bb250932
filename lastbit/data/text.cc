#include "lastbit/data/text.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <utility>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/data/grammar.h"
#include "lastbit/data/places.h"
#include "lastbit/data/text_files.h"
#include "lastbit/data/text_units.h"

namespace lastbit {
namespace {

constexpr std::string_view kGenerated = "generated";

// The name of a text in its pieces.
struct TextName {
  TextUnits units = TextUnits::kWords;
  std::string path;
  std::size_t vocabulary = 0;
  GrammarOptions grammar;
};

std::optional<TextUnits> units_of(std::string_view name) {
  for (const TextUnits units : {TextUnits::kWords, TextUnits::kCharacters}) {
    if (name.starts_with(cat(to_string(units), ':'))) return units;
  }
  return std::nullopt;
}

std::uint64_t parse_number(std::string_view key,
                           std::string_view text,
                           std::uint64_t least,
                           std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size() && value >= least && value <= most) {
    return value;
  }
  throw InputError(
      cat("[text] ", key, " is '", text, "', expected a whole number from ", least, " to ", most));
}

void set_option(TextName& name, std::string_view key, std::string_view value) {
  if (key == "vocabulary" && name.units == TextUnits::kWords) {
    name.vocabulary = parse_number(key, value, 3, kMostEntries);
    return;
  }
  const bool generated = name.path == kGenerated;
  if (generated && key == "seed") {
    name.grammar.seed = parse_number(key, value, 0, UINT64_MAX);
    return;
  }
  struct Count {
    std::string_view key;
    std::int64_t GrammarOptions::*count;
  };
  for (const Count& row : {Count{"train", &GrammarOptions::train},
                           Count{"valid", &GrammarOptions::valid},
                           Count{"test", &GrammarOptions::test}}) {
    if (!generated || row.key != key) continue;
    name.grammar.*row.count = static_cast<std::int64_t>(
        parse_number(key, value, 1, static_cast<std::uint64_t>(kMostSentences)));
    return;
  }
  throw InputError(cat("[text] ",
                       to_string(name.units),
                       ":",
                       name.path,
                       " has no option '",
                       key,
                       "', expected vocabulary=N for words, and for ",
                       kGenerated,
                       " texts seed, train, valid or test"));
}

TextName parse_name(std::string_view text) {
  const std::optional<TextUnits> units = units_of(text);
  if (!units) {
    throw InputError(
        cat("[text] no text is called '", text, "', expected words:PATH or characters:PATH"));
  }
  TextName name{.units = *units, .path = {}, .vocabulary = 0, .grammar = {}};
  text.remove_prefix(to_string(*units).size() + 1);
  name.path = text.substr(0, text.find(','));
  std::vector<std::string_view> seen;
  while (text.find(',') != std::string_view::npos) {
    text.remove_prefix(text.find(',') + 1);
    const std::string_view item = text.substr(0, text.find(','));
    const std::size_t equals = item.find('=');
    const std::string_view key = item.substr(0, equals);
    for (const std::string_view other : seen) {
      if (other == key) throw InputError(cat("[text] ", key, " is given twice"));
    }
    seen.push_back(key);
    set_option(
        name, key, equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1));
  }
  return name;
}

// The text of a part, and what messages call it.
struct PartText {
  std::string text;
  std::string where;
};

struct Texts {
  std::filesystem::path folder;
  std::optional<PartText> train;
  std::optional<PartText> valid;
  std::optional<PartText> test;
};

Texts generate(const GrammarOptions& options) {
  const auto part = [&](GrammarPart which, std::int64_t count) {
    return PartText{generate_sentences(options.seed, which, count).text, "[text] generated"};
  };
  return {.folder = {},
          .train = part(GrammarPart::kTrain, options.train),
          .valid = part(GrammarPart::kValid, options.valid),
          .test = part(GrammarPart::kTest, options.test)};
}

PartText read_part(const std::filesystem::path& path, TextUnits units) {
  PartText part{read_text_file(path), cat("[text] ", path.string())};
  if (units == TextUnits::kWords && !part.text.empty() && part.text.back() != '\n') {
    part.text.push_back('\n');
  }
  return part;
}

Texts cut(const PartText& whole, TextUnits units) {
  std::size_t count = 0;
  for_each_unit(whole.text, units, [&](std::string_view, std::size_t) { ++count; });
  const std::array<std::size_t, 2> behind = {count * 90 / 100, count * 95 / 100};
  std::array<std::size_t, 2> cuts{};
  count = 0;
  for_each_unit(whole.text, units, [&](std::string_view, std::size_t end) {
    ++count;
    for (std::size_t i = 0; i < cuts.size(); ++i) {
      if (count == behind[i]) cuts[i] = end;
    }
  });
  const auto part = [&](std::size_t begin, std::size_t end, std::string_view share) {
    return PartText{whole.text.substr(begin, end - begin), cat(whole.where, " (", share, ")")};
  };
  return {.folder = {},
          .train = part(0, cuts[0], "the first 90 %"),
          .valid = part(cuts[0], cuts[1], "5 % behind the first 90 %"),
          .test = part(cuts[1], whole.text.size(), "the last 5 %")};
}

Texts read(const TextName& name, const DataOptions& options) {
  if (name.path == kGenerated) return generate(name.grammar);
  std::vector<std::filesystem::path> places;
  for (const std::filesystem::path& folder : data_folders(options)) {
    places.push_back(folder / name.path);
  }
  places.emplace_back(name.path);
  const TextFiles files = find_text_files(name.path, places);
  Texts texts;
  if (files.whole) texts = cut(read_part(*files.whole, name.units), name.units);
  texts.folder = files.folder;
  if (files.train) texts.train = read_part(*files.train, name.units);
  if (files.valid) texts.valid = read_part(*files.valid, name.units);
  if (files.test) texts.test = read_part(*files.test, name.units);
  return texts;
}

const PartText& required(const std::optional<PartText>& part,
                         const Texts& texts,
                         const std::string& name,
                         std::string_view what) {
  if (part) return *part;
  throw InputError(
      cat("[text] ", name, " has no file *.", what, ".txt in ", texts.folder.string()));
}

TextPart encode_part(const PartText& part, const Vocabulary& vocabulary) {
  TextPart result = encode(part.text, vocabulary, part.where);
  if (!result.ids.empty()) return result;
  throw FormatError(cat(part.where, " holds no ", to_string(vocabulary.units())));
}

Vocabulary build(const PartText& train, const TextName& name) {
  if (train.text.empty()) {
    throw FormatError(cat(train.where, " holds no ", to_string(name.units)));
  }
  return Vocabulary::of(train.text, name.units, train.where, name.vocabulary);
}

}  // namespace

bool is_text_name(std::string_view name) noexcept {
  return name.starts_with("words:") || name.starts_with("characters:");
}

TextSet open_text(const std::string& name,
                  const DataOptions& options,
                  const Vocabulary* vocabulary) {
  const TextName parsed = parse_name(name);
  if (vocabulary != nullptr && vocabulary->units() != parsed.units) {
    throw InputError(cat("[text] ",
                         name,
                         " gives ",
                         to_string(parsed.units),
                         ", and the model's vocabulary has ",
                         to_string(vocabulary->units())));
  }
  if (vocabulary != nullptr && parsed.vocabulary != 0) {
    throw InputError(
        cat("[text] ", name, " asks for a vocabulary, and the model has its own, expected one"));
  }
  const Texts texts = read(parsed, options);
  if (vocabulary == nullptr) required(texts.train, texts, name, "train");
  TextSet set{.name = name,
              .folder = texts.folder,
              .train = {},
              .valid = {},
              .test = {},
              .vocabulary = vocabulary != nullptr ? *vocabulary : build(*texts.train, parsed)};
  if (texts.train) set.train = encode_part(*texts.train, set.vocabulary);
  if (texts.valid) set.valid = encode_part(*texts.valid, set.vocabulary);
  set.test = encode_part(required(texts.test, texts, name, "test"), set.vocabulary);
  return set;
}

}  // namespace lastbit
