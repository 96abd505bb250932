// Language models from training to the packed file, on the command line.

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lastbit/graph/onnx.h"
#include "tests/cli/training_test.h"

namespace lastbit {
namespace {

using ::testing::HasSubstr;

class TrainText : public TrainingTest {
 protected:
  static constexpr const char* kText = "words:generated,train=300,valid=20,test=40";

  static Words with(Words words, const Words& more) {
    words.insert(words.end(), {"--threads", "1", "--batch", "4", "--steps", "10"});
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  static Words train_words(const std::string& run, const Words& more = {}) {
    Words words =
        with({"train", "lstm-lm", "--data", kText, "--units", "16", "--layers", "1"},
             {"--clip-gradient", "1", "--lr", "0.5", "--weight-decay", "0", "--run", run});
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
};

TEST_F(TrainText, FromTrainingToThePackedFile) {
  succeed(train_words("float", {"--epochs", "3"}));
  const auto trained = nlohmann::json::parse(read("float/result.json"));
  const double perplexity = trained.at("test").at("perplexity").get<double>();
  EXPECT_DOUBLE_EQ(perplexity, std::exp(trained.at("test").at("loss").get<double>()));
  EXPECT_LT(perplexity, 40.0);  // the grammar has more words than that

  succeed(with({"compress", "float/reference.onnx", "--data", kText, "--run", "low"},
               {"--method",
                "admm",
                "--codebook",
                "ternary/channel",
                "--epochs",
                "2",
                "--lr",
                "0.1",
                "--distill",
                "0.5"}));
  const auto result = nlohmann::json::parse(read("low/result.json"));
  EXPECT_NEAR(result.at("reference").at("perplexity").get<double>(), perplexity, 1e-3);

  // Our runtime finds what LibTorch found on the weights that the file holds.
  const Finished eval = succeed({"eval", "low/compressed.onnx", "--data", kText, "--json"});
  EXPECT_NEAR(nlohmann::json::parse(eval.out).at("perplexity").get<double>(),
              result.at("test").at("perplexity").get<double>(),
              1e-3 * perplexity);
  const Finished text =
      succeed({"run", "low/compressed.onnx", "--prompt", "the", "--tokens", "5", "--seed", "1"});
  EXPECT_THAT(text.out, HasSubstr("the "));

  // The log of an epoch names the figure too.
  EXPECT_GT(log_of("low").back().at("test_perplexity").get<double>(), 1.0);
}

TEST_F(TrainText, DropsInTrainingWhatTheFileIsWithout) {
  succeed(train_words("float", {"--epochs", "1"}));
  const auto compressed = [&](const std::string& run, const Words& more) {
    Words words = with({"compress", "float/reference.onnx", "--data", kText, "--run", run},
                       {"--method", "picm", "--epochs", "1", "--lr", "0.1"});
    words.insert(words.end(), more.begin(), more.end());
    succeed(words);
    return read_onnx(path(run + "/compressed.onnx"));
  };
  const Graph plain = compressed("plain", {});
  const Graph dropping = compressed("dropping", {"--dropout", "0.5"});
  EXPECT_EQ(dropping.nodes.size(), plain.nodes.size());
  EXPECT_NE(read("dropping/trained.onnx"), read("plain/trained.onnx"));
  succeed({"verify", "dropping/compressed.onnx"});
  for (const std::string share : {"1", "-0.1", "nan", "x"}) {
    expect_refusal(lastbit(with({"compress", "float/reference.onnx", "--data", kText},
                                {"--run", "none", "--dropout=" + share})),
                   {"dropout"});
  }
}

TEST_F(TrainText, GoesOnFromAFileWithItsVocabulary) {
  succeed(train_words("float", {"--epochs", "1"}));
  write("other.train.txt",
        "the strange words of another text\n"
        "the strange words of another text\n");
  write("other.test.txt", "the words\n");
  const Finished run = succeed({"train",
                                "float/reference.onnx",
                                "--data",
                                "words:other",
                                "--batch",
                                "1",
                                "--epochs",
                                "1",
                                "--run",
                                "again"});
  EXPECT_THAT(run.err, HasSubstr("are not in the vocabulary"));
}

TEST_F(TrainText, NamesTheRunWithoutSignsThatShellsAndFileSystemsMind) {
  Words words = train_words("", {"--epochs", "1"});
  std::erase(words, "");
  std::erase(words, "--run");
  succeed(words);
  EXPECT_NE(read("runs/lstm-lm-words-generated-train-300-valid-20-test-40/result.json"), "");
}

TEST_F(TrainText, SaysInASentenceWhatDoesNotFit) {
  expect_refusal(lastbit(with({"train", "lenet5", "--data", kText}, {"--run", "a"})),
                 {"lenet5", "lstm-lm"});
  expect_refusal(lastbit({"train", "lstm-lm", "--data", "digits:train=20,test=10", "--run", "b"}),
                 {"tokens", "[1, 28, 28]"});
  expect_refusal(lastbit(train_words("c", {"--classes", "3"})), {"--classes", "text"});
  expect_refusal(lastbit(train_words("d", {"--steps", "0"})), {"--steps"});
  expect_refusal(lastbit(train_words("e", {"--clip-gradient", "-1"})), {"--clip-gradient"});
  write("short.train.txt", "a\n");
  write("short.test.txt", "a\n");
  expect_refusal(lastbit(with({"train", "lstm-lm", "--data", "words:short"}, {"--run", "f"})),
                 {"short", "the batch, 4"});
  make_model("classifier.onnx");
  expect_refusal(lastbit(with({"compress", "classifier.onnx", "--data", kText}, {"--run", "g"})),
                 {"lastbit.vocabulary"});
}

}  // namespace
}  // namespace lastbit
