#include "lastbit/cli/language_model.h"

#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/generate.h"
#include "lastbit/data/text.h"
#include "lastbit/graph/parameters.h"
#include "lastbit/zoo/zoo.h"
#include "tests/data/files.h"

namespace lastbit {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kWhere = "[model] m.onnx";

Vocabulary letters(std::int64_t count) {
  std::vector<std::string> entries = {"<eos>", "<unk>"};
  for (std::int64_t i = 2; i < count; ++i) entries.push_back(cat("w", i));
  return {TextUnits::kWords, std::move(entries), "[test]"};
}

Graph small(const std::string& name = "lstm-lm", bool tied = false) {
  Graph graph = make_network(name, {.words = 12, .units = 6, .tied = tied});
  set_vocabulary(graph, letters(12));
  return graph;
}

std::vector<std::int32_t> tokens(std::size_t count) {
  Random random(4);
  std::vector<std::int32_t> result(count);
  for (std::int32_t& id : result) id = static_cast<std::int32_t>(random.below(12));
  return result;
}

std::string refusal(const Graph& graph) {
  return error_of<InputError>([&] { LanguageModel(graph, kWhere, {}); });
}

TEST(LanguageModel, KeepsItsVocabularyInTheMetadata) {
  const Graph graph = small();
  EXPECT_EQ(graph.metadata.at("lastbit.text"), "words");
  EXPECT_TRUE(graph.metadata.at("lastbit.vocabulary").starts_with(R"(["<eos>","<unk>","w2",)"));
  EXPECT_EQ(vocabulary_of(graph, kWhere), letters(12));
}

TEST(LanguageModel, CarriesItsStateThroughPiecesOfAnyLength) {
  for (const char* const name : {"lstm-lm", "gru-lm", "char-lstm"}) {
    for (const bool tied : {false, true}) {
      SCOPED_TRACE(name);
      Graph graph = small(name, tied);
      const std::vector<std::string> ternary = {"ternary"};
      graph = project_weights(graph, choose_codebooks(graph, ternary));
      LanguageModel model(graph, kWhere, {});
      const std::vector<std::int32_t> ids = tokens(150);
      std::vector<std::vector<float>> whole;
      model.read(ids, [&](std::size_t i, std::span<const float> logits) {
        EXPECT_EQ(i, whole.size());
        whole.emplace_back(logits.begin(), logits.end());
      });
      ASSERT_EQ(whole.size(), ids.size());
      model.reset();
      for (std::size_t i = 0; i < ids.size(); ++i) {
        model.read({&ids[i], 1}, [&](std::size_t, std::span<const float> logits) {
          for (std::size_t w = 0; w < 12; ++w) ASSERT_NEAR(logits[w], whole[i][w], 1e-5);
        });
      }
      // Without a reset the same tokens are other text.
      model.read({ids.data(), 1}, [&](std::size_t, std::span<const float> logits) {
        EXPECT_NE(logits[0], whole[0][0]);
      });
    }
  }
}

// A model whose logits are the same whatever it reads.
Graph unigram(const std::vector<float>& logits, const Vocabulary& vocabulary) {
  const std::int64_t words = vocabulary.size();
  Graph graph = make_network("lstm-lm", {.words = words, .units = 3, .layers = 1});
  graph.initializers.at("softmax.weight") =
      Tensor::floats({3, words}, std::vector<float>(static_cast<std::size_t>(3 * words)));
  graph.initializers.at("softmax.bias") = Tensor::floats({words}, logits);
  set_vocabulary(graph, vocabulary);
  return graph;
}

TEST(LanguageModel, ScoresAllButTheFirstToken) {
  const std::vector<float> logits = {std::log(0.5F), std::log(0.25F), std::log(0.25F)};
  LanguageModel model(unigram(logits, letters(3)), kWhere, {});
  std::vector<std::int64_t> done;
  const TextScore score =
      score_text(model, {.ids = {1, 0, 0, 2, 1}}, [&](std::int64_t n) { done.push_back(n); });
  EXPECT_EQ(score.tokens, 4);
  EXPECT_NEAR(score.bits(), (1 + 1 + 2 + 2) / 4.0, 1e-6);
  EXPECT_NEAR(score.perplexity(), std::pow(2.0, 1.5), 1e-5);
  EXPECT_THAT(done, ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(error_of<InputError>([&] { score_text(model, {.ids = {1}, .from = "[text] x"}); }),
            "[text] x has 1 tokens, expected 2 or more to foretell one");
}

TEST(LanguageModel, IsScoredFromAZeroState) {
  const Graph graph = small();
  LanguageModel model(graph, kWhere, {});
  const TextPart text{.ids = tokens(90)};
  const double first = score_text(model, text).loss;
  model.read(text.ids, [](std::size_t, std::span<const float>) {});
  EXPECT_EQ(score_text(model, text).loss, first);
}

TEST(LanguageModel, RefusesWhatIsNone) {
  EXPECT_THAT(refusal(make_network("mlp", {})),
              HasSubstr("m.onnx is no language model: its metadata has no 'lastbit.vocabulary'"));
  Graph graph = small();
  graph.metadata.erase("lastbit.text");
  EXPECT_THAT(refusal(graph), HasSubstr("'lastbit.text'"));
  graph.metadata["lastbit.text"] = "bytes";
  EXPECT_THAT(refusal(graph), HasSubstr("'bytes', expected words or characters"));
  graph = small();
  graph.metadata["lastbit.vocabulary"] = "{}";
  EXPECT_THAT(refusal(graph), HasSubstr("no JSON array of strings"));
  graph = small();
  set_vocabulary(graph, letters(13));
  EXPECT_THAT(refusal(graph),
              HasSubstr("the vocabulary has 13 entries and the model foretells 12"));
  Graph images = make_network("mlp", {.classes = 12});
  set_vocabulary(images, letters(12));
  EXPECT_THAT(refusal(images), HasSubstr("first input is 'input' [batch, 1, 28, 28]"));
}

TEST(LanguageModel, RefusesOtherEnds) {
  Graph graph = small();
  graph.inputs[0].dims[0] = {.size = 35, .symbol = {}};
  EXPECT_THAT(refusal(graph), HasSubstr("'tokens' [35, batch], expected int64 [steps, batch]"));
  graph = small();
  graph.inputs[0].type = DType::kFloat;
  EXPECT_THAT(refusal(graph), HasSubstr("expected int64"));
  graph = small();
  graph.outputs.pop_back();
  EXPECT_THAT(refusal(graph), HasSubstr("4 states as inputs and 3 as outputs"));
  graph = small();
  graph.outputs[2].dims[2].size = 7;
  EXPECT_THAT(refusal(graph),
              AllOf(HasSubstr("'cell_1' [1, batch, 6] and 'next_cell_1' [1, batch, 7]"),
                    HasSubstr("no pair")));
  graph = small();
  graph.outputs[0].dims.pop_back();
  EXPECT_THAT(refusal(graph), HasSubstr("expected [steps, batch, words]"));
}

std::vector<double> shares(const SamplingOptions& options, const std::vector<float>& logits) {
  constexpr int kDraws = 20'000;
  Sampler sampler(options);
  std::vector<double> result(logits.size());
  for (int i = 0; i < kDraws; ++i) {
    result[static_cast<std::size_t>(sampler.draw(logits))] += 1.0 / kDraws;
  }
  return result;
}

// A share deviates by sqrt(p (1 - p) / 20000) <= 0.0036: five of these.
constexpr double kTolerance = 0.018;

void expect_shares(const std::vector<double>& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (expected[i] == 0.0) {
      EXPECT_EQ(got[i], 0.0) << i;
    } else {
      EXPECT_NEAR(got[i], expected[i], kTolerance) << i;
    }
  }
}

TEST(Sampler, DrawsByTheSoftmaxOfTheTemperedLogits) {
  const std::vector<float> logits = {
      std::log(1.0F), std::log(3.0F), std::log(2.0F), std::log(2.0F)};
  expect_shares(shares({}, logits), {1 / 8.0, 3 / 8.0, 2 / 8.0, 2 / 8.0});
  expect_shares(shares({.temperature = 0.5}, logits), {1 / 18.0, 9 / 18.0, 4 / 18.0, 4 / 18.0});
  expect_shares(shares({.temperature = 0.0}, logits), {0, 1, 0, 0});
  expect_shares(shares({.temperature = 1e-300}, logits), {0, 1, 0, 0});
}

TEST(Sampler, DrawsFromTheLikeliestAlone) {
  const std::vector<float> logits = {
      std::log(1.0F), std::log(3.0F), std::log(2.0F), std::log(2.0F)};
  expect_shares(shares({.top_k = 1}, logits), {0, 1, 0, 0});
  expect_shares(shares({.top_k = 2}, logits), {0, 0.6, 0.4, 0});
  expect_shares(shares({.top_k = 3}, logits), {0, 3 / 7.0, 2 / 7.0, 2 / 7.0});
  expect_shares(shares({.top_k = 9}, logits), {1 / 8.0, 3 / 8.0, 2 / 8.0, 2 / 8.0});
}

TEST(Sampler, RefusesWhatIsOutOfRange) {
  for (const double temperature : {-0.1, 100.1, static_cast<double>(NAN)}) {
    EXPECT_THAT(error_of<InputError>([&] { Sampler({.temperature = temperature}); }),
                HasSubstr("expected 0 to 100"));
  }
  EXPECT_THAT(error_of<InputError>([] { Sampler({.top_k = -1}); }), HasSubstr("top-k is -1"));
  Sampler sampler({});
  EXPECT_THAT(error_of<WorkError>([&] {
                sampler.draw(std::vector<float>{1.0F, NAN});
              }),
              HasSubstr("a logit of nan"));
}

TEST(TextJoiner, PutsSpacesBetweenWordsAndBreaksLines) {
  const Vocabulary words = letters(4);
  TextJoiner joiner(words);
  std::string text;
  for (const std::int32_t id : {2, 3, 0, 0, 1, 2}) text += joiner.add(id);
  EXPECT_EQ(text, "w2 w3\n\n<unk> w2");
  const Vocabulary characters(TextUnits::kCharacters, {"\n", " ", "\xC3\xA9"}, "[test]");
  TextJoiner plain(characters);
  EXPECT_EQ(plain.add(2) + plain.add(1) + plain.add(0) + plain.add(2), "\xC3\xA9 \n\xC3\xA9");
}

TEST(Generate, WritesThePromptThenATokenAtATime) {
  LanguageModel model(small(), kWhere, {});
  const auto pieces = [&](std::int64_t count, std::uint64_t seed) {
    Sampler sampler({.seed = seed});
    std::vector<std::string> result;
    generate(model, std::vector<std::int32_t>{2, 3}, count, sampler, [&](std::string_view text) {
      result.emplace_back(text);
      return true;
    });
    return result;
  };
  const std::vector<std::string> first = pieces(30, 1);
  EXPECT_EQ(first.size(), 31U);
  EXPECT_EQ(first[0], "w2 w3");
  EXPECT_EQ(pieces(30, 1), first);
  EXPECT_NE(pieces(30, 2), first);
  EXPECT_THAT(pieces(0, 1), ElementsAre("w2 w3"));
}

TEST(Generate, EndsWhenNobodyReads) {
  LanguageModel model(small(), kWhere, {});
  Sampler sampler({});
  int calls = 0;
  generate(model, std::vector<std::int32_t>{2}, 1'000'000'000, sampler, [&](std::string_view) {
    return ++calls < 5;
  });
  EXPECT_EQ(calls, 5);
}

}  // namespace
}  // namespace lastbit
