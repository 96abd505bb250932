#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lastbit/graph/onnx.h"
#include "tests/cli/program.h"
#include "tests/cli/training_test.h"

namespace lastbit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Train : public TrainingTest {};

TEST_F(Train, WritesARunFolder) {
  const Finished run = succeed(train_words("run"));
  EXPECT_THAT(run.out, HasSubstr("run/reference.onnx: test error "));
  EXPECT_THAT(run.err, HasSubstr("training mlp (12730 parameters) on digits"));
  EXPECT_THAT(run.err, HasSubstr("train epoch 2/2  loss "));
  EXPECT_THAT(
      names(),
      ElementsAre(
          "run", "run/config.toml", "run/log.jsonl", "run/reference.onnx", "run/result.json"));
  const auto entries = log_of("run");
  ASSERT_EQ(entries.size(), 2U);
  for (const auto& entry : entries) {
    EXPECT_EQ(entry["phase"], "train");
    for (const char* key :
         {"epoch", "loss", "error", "test_loss", "test_error", "learning_rate", "seconds"}) {
      EXPECT_TRUE(entry[key].is_number()) << key;
    }
  }
  EXPECT_EQ(entries[1]["epoch"], 2);
  EXPECT_LT(entries[1]["loss"], entries[0]["loss"]);
}

TEST_F(Train, ReportsTheErrorThatEvalFinds) {
  Words words = train_words("run");
  words.push_back("--json");
  const auto result = nlohmann::json::parse(succeed(words).out);
  const auto eval = evaluate("run/reference.onnx");
  EXPECT_EQ(eval["error"], result["test"]["error"]);
  EXPECT_NEAR(eval["loss"].get<double>(), result["test"]["loss"].get<double>(), 1e-4);
  EXPECT_EQ(result["bytes"], read("run/reference.onnx").size());
  EXPECT_EQ(nlohmann::json::parse(read("run/result.json")), result);
  EXPECT_EQ(log_of("run").back()["test_error"], result["test"]["error"]);
  // Better than chance by far.
  EXPECT_LT(result["test"]["error"], 60.0);
}

TEST_F(Train, RepeatsBitForBitFromItsConfiguration) {
  succeed(train_words("run"));
  succeed({"train", "--config", "run/config.toml", "--run", "again"});
  EXPECT_EQ(read("again/reference.onnx"), read("run/reference.onnx"));
  Words other = train_words("other");
  other.insert(other.end(), {"--seed", "2"});
  succeed(other);
  EXPECT_NE(read("other/reference.onnx"), read("run/reference.onnx"));
}

TEST_F(Train, RepeatsFromTheConfigurationOfANetworkWithoutWidths) {
  succeed(training({"train", "lenet300"}, {"--epochs", "0", "--run", "run"}));
  succeed({"train", "--config", "run/config.toml", "--run", "again"});
  EXPECT_EQ(read("again/reference.onnx"), read("run/reference.onnx"));
}

TEST_F(Train, OfNoEpochsWritesTheNetworkAsItStarts) {
  Words words = training({"train", "mlp", "--hidden", "16", "--center", "none"},
                         {"--epochs", "0", "--batch", "25", "--run", "run", "--json"});
  const auto result = nlohmann::json::parse(succeed(words).out);
  EXPECT_EQ(result["epochs"], 0);
  EXPECT_EQ(result["test"]["error"], evaluate("run/reference.onnx")["error"]);
  make_model("zoo.onnx");
  EXPECT_EQ(evaluate("run/reference.onnx")["loss"], evaluate("zoo.onnx")["loss"]);
  EXPECT_EQ(read("run/log.jsonl"), "");
  words.emplace_back("--resume");
  EXPECT_EQ(nlohmann::json::parse(succeed(words).out), result);
}

TEST_F(Train, GoesOnFromAFile) {
  succeed(train_words("run"));
  // Without --hidden, which the file decides.
  succeed(training({"train", "run/reference.onnx"},
                   {"--epochs", "2", "--batch", "25", "--run", "more"}));
  EXPECT_LT(log_of("more").front()["loss"], log_of("run").back()["loss"]);
}

TEST_F(Train, FitsTheNetworkToTheData) {
  const std::string pixels(48, '\x09');
  const std::string labels("\0\1\2\0\1\2\0\1\2\0\1\2", 12);
  for (const char* part : {"train", "test"}) {
    write(std::string("set/x_") + part + ".npy", npy("|u1", "(12, 2, 2)", pixels));
    write(std::string("set/y_") + part + ".npy", npy("|u1", "(12,)", labels));
  }
  succeed({"train", "mlp", "--hidden", "4", "--data", "set", "--epochs", "1"});
  const Graph graph = read_onnx(path("runs/mlp-set/reference.onnx"));
  EXPECT_EQ(to_string(graph.inputs.at(0).dims), "[batch, 1, 2, 2]");
  EXPECT_EQ(to_string(graph.outputs.at(0).dims), "[batch, 3]");
}

TEST_F(Train, WritesOverARunOnlyWhenForced) {
  succeed(train_words("run"));
  const std::string before = read("run/config.toml");
  expect_refusal(lastbit(train_words("run")), {"run already holds a run", "--force"});
  EXPECT_EQ(read("run/config.toml"), before);
  Words words = train_words("run");
  words.push_back("--force");
  succeed(words);
  EXPECT_EQ(log_of("run").size(), 2U);
}

TEST_F(Train, ThatDivergesFailsWithASentence) {
  Words words = train_words("run");
  words.insert(words.end(), {"--lr", "1e9"});
  const Finished run = lastbit(words);
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr("lastbit: [train] the loss is no longer finite in epoch 1"));
  EXPECT_THAT(run.err, HasSubstr("learning rate"));
  EXPECT_THAT(names(), Not(::testing::Contains(HasSubstr(".onnx"))));
}

TEST_F(Train, RefusesWhatItDoesNotKnow) {
  const auto refuse = [&](const Words& more, const Words& expected) {
    Words words = train_words("run");
    words.insert(words.end(), more.begin(), more.end());
    expect_refusal(lastbit(words), expected);
  };
  refuse({"--optimizer", "sdg"}, {"'sdg'", "sgd", "adam"});
  refuse({"--activation", "gelu"}, {"gelu", "relu", "tanh"});
  refuse({"--device", "tpu"}, {"--device", "tpu", "cpu"});
  refuse({"--precision", "fp8"}, {"--precision", "fp8", "float32", "bf16"});
  refuse({"--precision", "tf32"}, {"tf32", "CUDA", "float32"});
  refuse({"--epochs", "-1"}, {"--epochs", "-1"});
  refuse({"--epochs", "2.5"}, {"--epochs", "2.5"});
  refuse({"--batch", "0"}, {"--batch", "0"});
  refuse({"--momentum", "1.5"}, {"momentum", "1.5"});
  refuse({"--momentum", "nan"}, {"momentum", "nan"});
  refuse({"--weight-decay", "-1"}, {"weight"});
  refuse({"--input", "1,14,14"}, {"[1, 28, 28]", "[1, 14, 14]"});
  refuse({"--classes", "5"}, {"5", "10"});
  expect_refusal(lastbit({"train", "lenet7", "--data", kTrainingData}), {"'lenet7'", "lenet5"});
  expect_refusal(lastbit({"train", "mlp", "--data", "none"}), {"none"});
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(Train, RefusesMalformedSchedules) {
  for (const char* text : {"", "0", "nan", "fast", "0.1..", "cosine:-1", "1e999"}) {
    Words words = train_words("run");
    words.push_back("--lr=" + std::string(text));
    expect_refusal(lastbit(words), {"learning-rate"});
  }
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(Train, WritesNothingWhereItsFolderCannotBe) {
  write("file", "");
  expect_refusal(lastbit(train_words("file")), {"file"});
  expect_refusal(lastbit(train_words("file/run")), {"file/run"});
  expect_refusal(lastbit(train_words("/proc/run")), {"/proc/run"});
  Words words = train_words("run");
  words.insert(words.end(), {"--out", "file/m.onnx"});
  expect_refusal(lastbit(words), {"file/m.onnx"});
  EXPECT_THAT(names(), ElementsAre("file"));
}

}  // namespace
}  // namespace lastbit
