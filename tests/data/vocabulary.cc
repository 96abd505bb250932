#include "lastbit/data/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/data/utf8.h"
#include "tests/data/files.h"

namespace lastbit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Vocabulary words(std::string_view text, std::size_t most = 0) {
  return Vocabulary::of(text, TextUnits::kWords, "[text] here", most);
}

Vocabulary characters(std::string_view text) {
  return Vocabulary::of(text, TextUnits::kCharacters, "[text] here");
}

TEST(Utf8, IsTakenAsRfc3629HasIt) {
  // By brute force over all sequences of two bytes, and of three for the first bytes that matter:
  // a code point is encoded in one way.
  std::size_t valid = 0;
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string text = {static_cast<char>(a), static_cast<char>(b)};
      valid += utf8_length(text, 0) == 2 ? 1 : 0;
      for (int c = 0; a >= 0xE0 && a < 0xF0 && c < 256; ++c) {
        valid += utf8_length(text + static_cast<char>(c), 0) == 3 ? 1 : 0;
      }
    }
  }
  // U+0080 to U+07FF, and U+0800 to U+FFFF without 2048 surrogates.
  EXPECT_EQ(valid, (0x800U - 0x80U) + (0x10000U - 0x800U - 0x800U));
  EXPECT_EQ(utf8_length("\xF0\x90\x80\x80", 0), 4U);
  EXPECT_EQ(utf8_length("\xF4\x8F\xBF\xBF", 0), 4U);
  for (const std::string_view bad : {"\xF0\x8F\x80\x80",
                                     "\xF4\x90\x80\x80",
                                     "\xF5\x80\x80\x80",
                                     "\xF0\x90\x80",
                                     "\xF0\x90\x80\x01",
                                     "\x80",
                                     "\xC3",
                                     "\xFF"}) {
    EXPECT_EQ(utf8_length(bad, 0), 0U);
  }
}

TEST(Utf8, RefusesOtherBytesByPlaceAndLine) {
  EXPECT_NO_THROW(require_utf8("na\xC3\xAFve\n", "[text] here"));
  EXPECT_EQ(error_of([] { require_utf8("a\nb\nc\xE9 d", "[text] here"); }),
            "[text] here is not UTF-8: byte 5, in line 3, is 233 and starts no character");
}

TEST(Vocabulary, OrdersWordsByFrequencyThenByBytes) {
  const Vocabulary v = words("b a  b\nc <unk> b a\n");
  EXPECT_THAT(v.entries(), ElementsAre("b", "<eos>", "a", "<unk>", "c"));
  EXPECT_EQ(v.unknown(), 3);
  EXPECT_EQ(v.find("c"), 4);
  EXPECT_EQ(v.find("d"), std::nullopt);
  EXPECT_EQ(v[1], "<eos>");
}

TEST(Vocabulary, AddsTheUnknownWordWhereATextHasNone) {
  EXPECT_THAT(words("b a\tb\r\n").entries(), ElementsAre("b", "<eos>", "a", "<unk>"));
}

TEST(Vocabulary, KeepsTheMostFrequentWordsAndAPlaceForTheUnknown) {
  EXPECT_THAT(words("x x x\ny y z\n", 3).entries(), ElementsAre("x", "<eos>", "<unk>"));
  EXPECT_THAT(words("x x x <unk> <unk> <unk> <unk>\ny\n", 3).entries(),
              ElementsAre("<unk>", "x", "<eos>"));
  EXPECT_THAT(words("x x x\ny y z\n", 100).size(), 5);
  EXPECT_THAT(error_of<InputError>([] { words("a\n", 2); }), HasSubstr("of 2 entries"));
}

TEST(Vocabulary, HasCharactersInTheOrderOfUnicodeAndOneForTheUnknown) {
  const Vocabulary v = characters("b\xC3\xA9\xF0\x9F\x98\x80 a\nb");
  EXPECT_THAT(v.entries(),
              ElementsAre("\n", " ", "a", "b", "\xC3\xA9", "\xF0\x9F\x98\x80", "\xEF\xBF\xBD"));
  EXPECT_EQ(v.unknown(), 6);
}

TEST(Vocabulary, CountsWhatItLacks) {
  const TextPart part = encode("b d\n\na e", words("b a\n"), "[text] there");
  EXPECT_THAT(part.ids, ElementsAre(2, 3, 0, 0, 1, 3));
  EXPECT_EQ(part.unknown, 2);
  EXPECT_EQ(part.from, "[text] there");
  const TextPart letters = encode("ba\xC3\xA9", characters("ab"), "[text] there");
  EXPECT_THAT(letters.ids, ElementsAre(1, 0, 2));
  EXPECT_EQ(letters.unknown, 1);
}

TEST(Vocabulary, RefusesWhatItCannotReplace) {
  const Vocabulary v(TextUnits::kWords, {"a", "<eos>"}, "[model]");
  EXPECT_EQ(v.unknown(), std::nullopt);
  EXPECT_THAT(encode("a\n", v, "[text] x").ids, ElementsAre(0, 1));
  EXPECT_EQ(error_of<InputError>([&] { encode("a b\n", v, "[text] x"); }),
            "[text] x: 'b' is not in the vocabulary, which has no '<unk>' for such words");
}

TEST(Vocabulary, SurvivesJson) {
  const Vocabulary v = characters("\"\\\n\t\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT_EQ(Vocabulary::from_json(v.to_json(), TextUnits::kCharacters, "[model]"), v);
  EXPECT_EQ(words("b a\n").to_json(), R"(["<eos>","a","b","<unk>"])");
}

TEST(Vocabulary, RefusesJsonThatIsNone) {
  const auto refusal = [](std::string_view json) {
    return error_of<InputError>(
        [&] { Vocabulary::from_json(json, TextUnits::kWords, "[model] m"); });
  };
  for (const char* const json :
       {"", "{}", "[1]", "[\"a\"", "[\"a\", [\"b\"]]", "\"a\"", "[\"\xFF\"]"}) {
    EXPECT_EQ(refusal(json), "[model] m is no JSON array of strings") << json;
  }
  EXPECT_EQ(refusal(std::string(200'000, '[')), "[model] m is no JSON array of strings");
  EXPECT_THAT(refusal("[]"), HasSubstr("has 0 different words"));
  EXPECT_EQ(refusal(R"(["a","b","a"])"), "[model] m: entry 2 ('a') is there twice");
  EXPECT_EQ(refusal(R"(["a",""])"), "[model] m: entry 1 ('') is empty");
  EXPECT_EQ(refusal(R"(["a b"])"), "[model] m: entry 0 ('a b') holds white space");
}

TEST(Vocabulary, RefusesSeveralCharactersAsOne) {
  EXPECT_THAT(error_of<InputError>([] {
                Vocabulary(TextUnits::kCharacters, {"a", "bc"}, "[model]");
              }),
              HasSubstr("entry 1 ('bc') is more than one character"));
}

TEST(Vocabulary, RefusesMoreWordsThanItMayHave) {
  std::string text;
  for (std::size_t i = 0; i <= kMostEntries; ++i) text += std::to_string(i) + ' ';
  EXPECT_THAT(error_of<InputError>([&] { words(text); }),
              HasSubstr("has 1048577 different words, expected 1, ..., 1048576"));
}

TEST(Vocabulary, OfNoTextIsRefused) {
  EXPECT_THAT(error_of<InputError>([] { words(" "); }), HasSubstr("has 0 different words"));
}

TEST(TextUnits, AreReadByName) {
  EXPECT_EQ(parse_text_units("characters", "[x]"), TextUnits::kCharacters);
  EXPECT_EQ(error_of<InputError>([] { parse_text_units("bytes", "[model] 'lastbit.text'"); }),
            "[model] 'lastbit.text' is 'bytes', expected words or characters");
  EXPECT_THAT(words("a").entries(), ::testing::Not(IsEmpty()));
}

}  // namespace
}  // namespace lastbit
