#include "lastbit/data/text.h"

#include <cmath>
#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/data/grammar.h"
#include "tests/data/files.h"

namespace lastbit {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Text : public ::testing::Test {
 protected:
  TextSet open(const std::string& name, const Vocabulary* vocabulary = nullptr) const {
    return open_text(name, {.data_dir = folder_.path()}, vocabulary);
  }
  template <typename Expected = InputError>
  std::string refusal(const std::string& name, const Vocabulary* vocabulary = nullptr) const {
    return error_of<Expected>([&] { open(name, vocabulary); });
  }
  void write_parts(const std::string& before, const std::string& after) const {
    folder_.write(before + "train" + after, "a b\nb\n");
    folder_.write(before + "valid" + after, "b a\n");
    folder_.write(before + "test" + after, "a c\n");
  }
  void expect_parts(const TextSet& set) const {
    EXPECT_THAT(set.vocabulary.entries(), ElementsAre("<eos>", "b", "a", "<unk>"));
    EXPECT_THAT(set.train.ids, ElementsAre(2, 1, 0, 1, 0));
    ASSERT_TRUE(set.valid.has_value());
    EXPECT_THAT(set.valid->ids, ElementsAre(1, 2, 0));
    EXPECT_THAT(set.test.ids, ElementsAre(2, 3, 0));
    EXPECT_EQ(set.train.unknown, 0);
    EXPECT_EQ(set.test.unknown, 1);
  }

  TempFolder folder_;
};

TEST_F(Text, IsFoundAsAFolder) {
  write_parts("lm/", ".txt");
  const TextSet set = open("words:lm");
  EXPECT_EQ(set.folder, folder_.path() / "lm");
  EXPECT_EQ(set.name, "words:lm");
  expect_parts(set);
}

TEST_F(Text, IsFoundByTheNameBeforeItsParts) {
  write_parts("lm/ptb.", ".txt");
  folder_.write("lm/other.train.txt", "x");
  expect_parts(open("words:lm/ptb"));
  EXPECT_THAT(refusal("words:lm"), AllOf(HasSubstr("several texts"), HasSubstr("lm/ptb")));
}

TEST_F(Text, IsFoundUnderWikiTextsNames) {
  write_parts("wikitext-2/wiki.", ".tokens");
  expect_parts(open("words:wikitext-2"));
}

TEST_F(Text, IsFoundAsAPath) {
  write_parts("deep/ptb.", ".txt");
  expect_parts(open_text("words:" + (folder_.path() / "deep/ptb").string(), {}));
}

TEST_F(Text, IsUnpacked) {
  folder_.write("t.train.txt.gz", gzip("a b\nb\n"));
  folder_.write("t.validation.txt.gz", gzip("b a\n"));
  folder_.write("t.test.txt", "a c\n");
  expect_parts(open("words:t"));
}

TEST_F(Text, EndsEachLineAlsoTheEmptyAndTheLast) {
  folder_.write("train.txt", " a\n\n \nb");
  folder_.write("test.txt", "a\n");
  const TextSet set = open("words:.");
  EXPECT_THAT(set.train.ids, ElementsAre(1, 0, 0, 0, 2, 0));
  EXPECT_FALSE(set.valid.has_value());
}

TEST_F(Text, OfOneFileIsCut) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += i < 36 ? "\xC3\xA4" : i < 38 ? "b" : "c";
  folder_.write("one.txt", text);
  const TextSet set = open("characters:one.txt");
  EXPECT_THAT(set.vocabulary.entries(), ElementsAre("\xC3\xA4", "\xEF\xBF\xBD"));
  EXPECT_THAT(set.train.ids, SizeIs(36));
  EXPECT_THAT(set.valid->ids, ElementsAre(1, 1));
  EXPECT_THAT(set.test.ids, ElementsAre(1, 1));
  EXPECT_EQ(set.test.unknown, 2);
  // The last word's line end is a unit too: 18, 1 and 1 of 20.
  folder_.write("line.txt", "a b c d e f g h i j k l m n o p q r s");
  const TextSet line = open("words:line.txt");
  EXPECT_THAT(line.train.ids, SizeIs(18));
  EXPECT_EQ(line.valid->unknown, 1);
  EXPECT_EQ(line.test.unknown, 1);
}

TEST_F(Text, TakesTheVocabularyOfAModel) {
  folder_.write("t.test.txt", "a q\n");
  const Vocabulary known(TextUnits::kWords, {"q", "<unk>", "<eos>"}, "[model]");
  const TextSet set = open("words:t", &known);
  EXPECT_THAT(set.test.ids, ElementsAre(1, 0, 2));
  EXPECT_EQ(set.test.unknown, 1);
  EXPECT_THAT(set.train.ids, IsEmpty());
  EXPECT_THAT(refusal("words:t"), HasSubstr("words:t has no file *.train.txt in"));
  EXPECT_THAT(refusal("characters:t", &known),
              HasSubstr("gives characters, and the model's vocabulary has words"));
  EXPECT_THAT(refusal("words:t,vocabulary=5", &known), HasSubstr("the model has its own"));
}

TEST_F(Text, KeepsAsManyWordsAsAsked) {
  write_parts("lm/", ".txt");
  EXPECT_THAT(open("words:lm,vocabulary=3").vocabulary.entries(),
              ElementsAre("<eos>", "b", "<unk>"));
}

TEST_F(Text, ThatIsMissingSaysWhereItWasSearched) {
  EXPECT_THAT(refusal("words:none"),
              AllOf(HasSubstr("no text 'none'"),
                    HasSubstr((folder_.path() / "none").string()),
                    HasSubstr("data/none")));
  EXPECT_THAT(refusal("words:"), HasSubstr("no text ''"));
  folder_.write("t.train.txt", "a\n");
  EXPECT_THAT(refusal("words:t"), HasSubstr("no file *.test.txt"));
}

TEST_F(Text, ThatIsEmptyIsRefused) {
  write_parts("", ".txt");
  folder_.write("train.txt", "");
  EXPECT_THAT(refusal<FormatError>("words:."), HasSubstr("train.txt holds no words"));
  EXPECT_THAT(refusal<FormatError>("characters:."), HasSubstr("train.txt holds no characters"));
  folder_.write("train.txt", "a\n");
  folder_.write("test.txt", "");
  EXPECT_THAT(refusal<FormatError>("words:."), HasSubstr("test.txt holds no words"));
}

TEST_F(Text, ThatIsNotUtf8IsRefusedByPlace) {
  folder_.write("train.txt", "caf\xC3\xA9\ncaf\xE9\n");
  folder_.write("test.txt", "a");
  for (const char* const units : {"words:.", "characters:."}) {
    EXPECT_THAT(refusal<FormatError>(units),
                HasSubstr("train.txt is not UTF-8: byte 9, in line 2, is 233"));
  }
}

TEST_F(Text, ThatIsDamagedIsRefused) {
  const std::string packed = gzip("a b c d e f g\n");
  folder_.write("test.txt", "a");
  folder_.write("train.txt.gz", packed.substr(0, packed.size() - 6));
  EXPECT_THAT(refusal<FormatError>("words:."), HasSubstr("train.txt.gz"));
  folder_.write("train.txt.gz", packed + "more");
  EXPECT_THAT(refusal<FormatError>("words:."), HasSubstr("train.txt.gz"));
}

TEST_F(Text, RefusesOptionsItDoesNotHave) {
  write_parts("lm/", ".txt");
  EXPECT_THAT(refusal("words:lm,size=3"), HasSubstr("no option 'size'"));
  EXPECT_THAT(refusal("words:lm,seed=3"), HasSubstr("no option 'seed'"));
  EXPECT_THAT(refusal("characters:lm,vocabulary=30"), HasSubstr("no option 'vocabulary'"));
  EXPECT_THAT(refusal("words:lm,vocabulary=2"), HasSubstr("from 3 to 1048576"));
  EXPECT_THAT(refusal("words:lm,vocabulary=9,vocabulary=9"), HasSubstr("given twice"));
  EXPECT_THAT(refusal("words:generated,train=0"), HasSubstr("train is '0'"));
  EXPECT_THAT(refusal("words:generated,test=1000001"), HasSubstr("from 1 to 1000000"));
  EXPECT_THAT(refusal("letters:lm"), HasSubstr("words:PATH or characters:PATH"));
}

TEST_F(Text, IsNoSetOfSamples) {
  EXPECT_THAT(error_of<InputError>([] { open_dataset("words:x", {}); }), HasSubstr("is a text"));
}

TEST(GeneratedText, NeedsNoFilesAndHasNoUnknownWords) {
  const TextSet set = open_text("words:generated", {});
  EXPECT_GT(set.train.ids.size(), 100'000U);
  EXPECT_GT(set.vocabulary.size(), 100);
  EXPECT_EQ(set.valid->unknown + set.test.unknown, 0);
  const TextSet small = open_text("characters:generated,train=2000,test=5", {});
  EXPECT_LT(small.vocabulary.size(), 32);
  EXPECT_EQ(small.test.unknown, 0);
}

TEST(GeneratedText, DependsOnSeedAndPartAlone) {
  const GrammarText few = generate_sentences(3, GrammarPart::kTest, 10);
  const GrammarText many = generate_sentences(3, GrammarPart::kTest, 100);
  EXPECT_TRUE(many.text.starts_with(few.text));
  EXPECT_NE(generate_sentences(4, GrammarPart::kTest, 10).text, few.text);
  EXPECT_NE(generate_sentences(3, GrammarPart::kTrain, 10).text, few.text);
  EXPECT_EQ(std::count(many.text.begin(), many.text.end(), '\n'), 100);
}

// A sentence's probability, taken from its text as the grammar has it, against frequencies: those
// of the shortest sentences can be counted.
TEST(GeneratedText, HasTheProbabilityItTells) {
  const GrammarText all = generate_sentences(1, GrammarPart::kTrain, 200'000);
  std::istringstream lines(all.text);
  std::map<std::string, int> counts;
  for (std::string line; std::getline(lines, line);) ++counts[line];
  // For each of the first sentences of another seed, told by the difference of two texts.
  int compared = 0;
  double before = 0.0;
  for (std::int64_t n = 1; n <= 400; ++n) {
    const GrammarText text = generate_sentences(2, GrammarPart::kTest, n);
    const double probability = std::exp(before - text.nats);
    before = text.nats;
    const double expected = 200'000 * probability;
    if (expected < 40) continue;
    ++compared;
    std::string last = text.text.substr(0, text.text.size() - 1);
    last = last.substr(last.rfind('\n') + 1);
    // Five standard deviations of a count of rare events.
    EXPECT_NEAR(counts[last], expected, 5 * std::sqrt(expected)) << last;
  }
  EXPECT_GT(compared, 3);
}

// What docs/data.md says: the grammar's entropy of its test part, as perplexity.
TEST(GeneratedText, HasThePerplexityThatIsDocumented) {
  const GrammarText test = generate_sentences(0, GrammarPart::kTest, 1000);
  const TextSet set = open_text("words:generated,train=2000", {});
  const auto words = static_cast<double>(set.test.ids.size());
  EXPECT_NEAR(std::exp(test.nats / words), 10.61, 0.005);
  const TextSet letters = open_text("characters:generated,train=2000", {});
  EXPECT_NEAR(
      test.nats / std::log(2.0) / static_cast<double>(letters.test.ids.size()), 0.734, 0.0005);
}

class RealText : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* const folder = std::getenv("LASTBIT_DATA");
    if (folder == nullptr ||
        !std::filesystem::exists(std::filesystem::path(folder) / "lm/ptb.train.txt.gz")) {
      GTEST_SKIP() << "needs lm/ptb.train.txt.gz in $LASTBIT_DATA";
    }
  }
};

TEST_F(RealText, OfPennTreebankHasItsPublishedFigures) {
  const TextSet set = open_text("words:lm/ptb", {});
  EXPECT_EQ(set.vocabulary.size(), 10000);
  EXPECT_THAT(set.train.ids, SizeIs(929'589));
  EXPECT_THAT(set.valid->ids, SizeIs(73'760));
  EXPECT_THAT(set.test.ids, SizeIs(82'430));
  EXPECT_EQ(set.valid->unknown + set.test.unknown, 0);
  EXPECT_THAT(set.vocabulary.entries().first(3), ElementsAre("the", "<unk>", "<eos>"));
  // WikiText-2's published counts of tokens, read with another vocabulary.
  const TextSet wiki = open_text("words:lm/wikitext-2", {}, &set.vocabulary);
  EXPECT_THAT(wiki.valid->ids, SizeIs(217'646));
  EXPECT_THAT(wiki.test.ids, SizeIs(245'569));
  EXPECT_GT(wiki.test.unknown, 0);
}

TEST_F(RealText, OfShakespeareHas65Characters) {
  const TextSet set = open_text("characters:lm/tinyshakespeare.txt.gz", {});
  EXPECT_EQ(set.vocabulary.size(), 65 + 1);
  EXPECT_THAT(set.train.ids, SizeIs(1'115'394 * 9 / 10));
  EXPECT_EQ(set.train.ids.size() + set.valid->ids.size() + set.test.ids.size(), 1'115'394U);
}

}  // namespace
}  // namespace lastbit
