#include <cmath>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lastbit/graph/onnx.h"
#include "tests/cli/program.h"

// Language models on the command line.

namespace lastbit {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Language : public CommandTest {
 protected:
  void SetUp() override {
    write("lm/train.txt", "the dog runs\nthe cat runs\nthe dog sleeps\n");
    write("lm/valid.txt", "the cat sleeps\n");
    write("lm/test.txt", "the dog barks\nthe cat runs\n");
    succeed({"zoo", "lstm-lm", "--units", "4", "--data", "words:lm", "--out", "words.onnx"});
    succeed({"zoo", "char-lstm", "--units", "4", "--data", "characters:lm", "--out", "chars.onnx"});
  }

  std::string generated(const Words& more) const {
    Words words = {"run", "words.onnx", "--prompt", "the dog", "--tokens", "40"};
    words.insert(words.end(), more.begin(), more.end());
    return succeed(words).out;
  }
};

TEST_F(Language, IsWrittenWithTheVocabularyOfAText) {
  const Graph graph = read_onnx(path("words.onnx"));
  EXPECT_EQ(graph.metadata.at("lastbit.vocabulary"),
            R"(["<eos>","the","dog","runs","cat","sleeps","<unk>"])");
  EXPECT_EQ(graph.metadata.at("lastbit.text"), "words");
  EXPECT_EQ(to_string(graph.outputs.at(0).dims), "[steps, batch, 7]");
}

TEST_F(Language, GoesOnWithAPromptTheSameForASeed) {
  const std::string text = generated({"--seed", "7"});
  EXPECT_TRUE(text.starts_with("the dog")) << text;
  EXPECT_EQ(generated({"--seed", "7"}), text);
  EXPECT_NE(generated({"--seed", "8"}), text);
  EXPECT_EQ(generated({"--seed", "7", "--temperature", "0"}),
            generated({"--seed", "8", "--top-k", "1"}));
}

TEST_F(Language, IsGivenThePromptAsTheModelKnowsIt) {
  const Finished run =
      succeed({"run", "words.onnx", "--prompt", " the  wolf\nruns", "--tokens", "0"});
  EXPECT_EQ(run.out, "the <unk>\nruns\n");
  EXPECT_EQ(run.err, "prompt: 1 of 4 words are not in the vocabulary and become '<unk>'\n");
  const Finished letters = succeed({"run", "chars.onnx", "--prompt", "the z", "--tokens", "0"});
  EXPECT_EQ(letters.out, "the \xEF\xBF\xBD\n");
  EXPECT_THAT(letters.err, HasSubstr("1 of 5 characters"));
}

TEST_F(Language, IsMeasuredOnAText) {
  const Finished run = succeed({"eval", "words.onnx", "--data", "words:lm"});
  EXPECT_THAT(run.out, AllOf(HasSubstr("words.onnx: perplexity "), HasSubstr("7 words")));
  EXPECT_EQ(run.err, "data: 1 of 8 words are not in the vocabulary\n");
  const auto json = nlohmann::json::parse(
      succeed({"eval", "words.onnx", "--data", "words:lm", "--json", "--part", "valid"}).out);
  EXPECT_EQ(json["tokens"], 3);
  EXPECT_EQ(json["unknown"], 0);
  EXPECT_EQ(json["part"], "valid");
  EXPECT_NEAR(json["perplexity"], std::exp(json["loss"].get<double>()), 1e-9);
  // Random weights of 0.1 tell next to nothing of seven words.
  EXPECT_NEAR(json["perplexity"], 7.0, 0.2);
  EXPECT_THAT(succeed({"eval", "chars.onnx", "--data", "characters:lm", "--part", "train"}).out,
              AllOf(HasSubstr("bits a character"), HasSubstr("40 characters")));
}

TEST_F(Language, IsInspectedForAToken) {
  // Two layers of 16 * 8, and 4 * 7.
  EXPECT_THAT(succeed({"inspect", "words.onnx"}).out, HasSubstr("284 multiply-adds a token"));
}

TEST_F(Language, RefusesPromptsThatAreNone) {
  const auto refuse = [&](const Words& more, const Words& expected) {
    Words words = {"run", "words.onnx", "--prompt"};
    words.insert(words.end(), more.begin(), more.end());
    expect_refusal(lastbit(words), expected);
  };
  refuse({""}, {"prompt is empty", "words"});
  refuse({" \t"}, {"prompt is empty"});
  refuse({"a\xFFz"}, {"prompt is not UTF-8", "byte 1", "line 1"});
  refuse({"the", "--temperature", "-1"}, {"--temperature", "0 to 100"});
  refuse({"the", "--temperature", "nan"}, {"--temperature"});
  refuse({"the", "--top-k", "-1"}, {"--top-k"});
  refuse({"the", "--tokens", "-1"}, {"--tokens"});
  refuse({"the", "--seed", "-1"}, {"--seed"});
  refuse({"the", "--data", "words:lm"}, {"--data", "--prompt"});
  refuse({"the", "--out", "x.npy"}, {"--out", "--prompt"});
  expect_refusal(lastbit({"run", "words.onnx", "--seed", "1"}), {"--seed", "--prompt"});
  expect_refusal(lastbit({"run", "words.onnx"}), {"--data", "--prompt"});
}

TEST_F(Language, RefusesModelsAndDataThatDoNotFit) {
  succeed({"zoo", "mlp", "--hidden", "4", "--out", "mlp.onnx"});
  succeed({"zoo", "lstm-lm", "--units", "4", "--words", "7", "--out", "bare.onnx"});
  for (const char* const model : {"mlp.onnx", "bare.onnx"}) {
    expect_refusal(lastbit({"run", model, "--prompt", "the"}),
                   {model, "no language model", "lastbit.vocabulary"});
    expect_refusal(lastbit({"eval", model, "--data", "words:lm"}), {model, "lastbit.vocabulary"});
  }
  const char* const digits = "digits:train=5,test=5";
  for (const char* const command : {"run", "eval"}) {
    expect_refusal(lastbit({command, "words.onnx", "--data", digits}),
                   {"words.onnx is a language model", "--prompt", "words:PATH"});
  }
  expect_refusal(lastbit({"eval", "words.onnx", "--data", "characters:lm"}),
                 {"characters", "words"});
  expect_refusal(lastbit({"eval", "words.onnx", "--data", "words:none"}), {"'none'", "data/none"});
  expect_refusal(lastbit({"eval", "words.onnx", "--data", "words:lm", "--batch", "2"}),
                 {"--batch"});
  expect_refusal(lastbit({"eval", "mlp.onnx", "--data", digits, "--part", "valid"}), {"'valid'"});
  write("lm/test.txt", "caf\xE9\n");
  expect_refusal(lastbit({"eval", "words.onnx", "--data", "words:lm"}),
                 {"test.txt is not UTF-8", "byte 3"});
  write("lm/test.txt", "");
  expect_refusal(lastbit({"eval", "words.onnx", "--data", "words:lm"}),
                 {"test.txt holds no words"});
  Graph graph = read_onnx(path("words.onnx"));
  graph.metadata["lastbit.vocabulary"] = R"(["the","<unk>"])";
  write_onnx(path("other.onnx"), graph);
  expect_refusal(lastbit({"run", "other.onnx", "--prompt", "the"}),
                 {"vocabulary has 2 entries", "foretells 7"});
}

TEST_F(Language, RefusesWhatTheZooCannotBuild) {
  const auto refuse = [&](Words words, const Words& expected) {
    words.insert(words.begin(), "zoo");
    words.insert(words.end(), {"--out", "new.onnx"});
    expect_refusal(lastbit(words), expected);
  };
  refuse({"lstm-lm", "--size", "huge"}, {"huge", "small or medium or large"});
  refuse({"lstm-lm", "--data", "words:lm", "--words", "7"}, {"--words and --data"});
  refuse({"lstm-lm", "--data", "digits"}, {"digits", "words:PATH"});
  refuse({"lenet5", "--data", "words:lm"}, {"lenet5", "a number of words"});
  refuse({"lenet5", "--tied"}, {"lenet5", "tied weights"});
  refuse({"lstm-lm", "--classes", "4"}, {"lstm-lm", "classes"});
  write("state.onnx", read("words.onnx"));
  expect_refusal(lastbit({"import", "lstm-lm", "state.onnx", "--out", "new.onnx"}),
                 {"lstm-lm", "gates"});
  EXPECT_FALSE(std::filesystem::exists(path("new.onnx")));
}

TEST_F(Language, DataIsShown) {
  const Finished run = succeed({"data", "show", "words:lm"});
  EXPECT_THAT(run.out,
              AllOf(HasSubstr("a vocabulary of 7"),
                    HasSubstr("train     12"),
                    HasSubstr("test       8                      1")));
  EXPECT_THAT(succeed({"data", "show", "words:generated"}).out, HasSubstr("generated"));
  EXPECT_THAT(succeed({"data", "show", "digits:train=5,test=6"}).out,
              AllOf(HasSubstr("[1, 28, 28]"), Not(HasSubstr("mnist"))));
  expect_refusal(lastbit({"data", "show"}), {"show NAME"});
}

}  // namespace
}  // namespace lastbit
