#include <filesystem>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lastbit/graph/onnx.h"
#include "tests/cli/small_disk.h"
#include "tests/cli/training_test.h"

namespace lastbit {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Compress : public TrainingTest {
 protected:
  void SetUp() override { make_model("float.onnx"); }

  nlohmann::json result_of(Words words) const {
    words.push_back("--json");
    const Finished run = succeed(words);
    EXPECT_EQ(run.out.find('\n') + 1, run.out.size()) << run.out;
    return nlohmann::json::parse(run.out);
  }
  const LowBitTensor& lowbit(const Graph& graph, const std::string& name) const {
    return std::get<LowBitTensor>(*graph.find_initializer(name));
  }
};

TEST_F(Compress, WritesARunFolder) {
  const Finished run = succeed(compress_words("float.onnx", "run"));
  EXPECT_THAT(run.out, HasSubstr("run/compressed.onnx: "));
  EXPECT_THAT(run.out, HasSubstr("times smaller than float.onnx; test error "));
  EXPECT_THAT(run.err, HasSubstr("reference: test error "));
  EXPECT_THAT(run.err, HasSubstr("compress epoch 1/1  loss "));
  EXPECT_THAT(run.err, HasSubstr("residual "));
  EXPECT_THAT(run.err, HasSubstr("finish epoch 1/1  loss "));
  EXPECT_THAT(names(),
              ElementsAre("float.onnx",
                          "run",
                          "run/compressed.onnx",
                          "run/config.toml",
                          "run/log.jsonl",
                          "run/reference.onnx",
                          "run/result.json",
                          "run/trained.onnx"));
  EXPECT_EQ(read("run/reference.onnx"), read("float.onnx"));
  const auto all = log_of("run");
  std::vector<nlohmann::json> entries;
  for (const auto& entry : all) {
    if (entry.contains("epoch")) entries.push_back(entry);
  }
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0]["phase"], "compress");
  ASSERT_EQ(all[0]["round"], 1);
  for (const char* key : {"loss_float", "loss_low_bit", "primal_residual", "flipped", "penalty"}) {
    EXPECT_TRUE(all[0][key].is_number()) << key;
  }
  ASSERT_EQ(all[0]["layers"].size(), 2U);
  for (const auto& layer : all[0]["layers"]) {
    EXPECT_EQ(layer["shares"].size(), 3U);
    for (const char* key : {"primal_residual", "dual_norm", "flipped", "scale", "entropy"}) {
      EXPECT_TRUE(layer[key].is_number()) << key;
    }
  }
  for (const char* key : {"loss",
                          "error",
                          "test_loss",
                          "test_error",
                          "seconds",
                          "primal_residual",
                          "dual_residual",
                          "flipped",
                          "penalty"}) {
    EXPECT_TRUE(entries[0][key].is_number()) << key;
  }
  EXPECT_EQ(entries[1]["phase"], "finish");
}

TEST_F(Compress, ReportsTheErrorOfTheFileItWrites) {
  for (const char* method : {"admm", "dc"}) {
    Words words = compress_words("float.onnx", method);
    words.insert(words.end(), {"--method", method});
    const auto result = result_of(words);
    const std::string file = std::string(method) + "/compressed.onnx";
    const auto eval = evaluate(file);
    EXPECT_EQ(eval["error"], result["test"]["error"]);
    EXPECT_EQ(eval["examples"], result["test"]["examples"]);
    EXPECT_NEAR(eval["loss"].get<double>(), result["test"]["loss"].get<double>(), 1e-4);
    EXPECT_EQ(result["bytes"], read(file).size());
    EXPECT_EQ(result["reference_bytes"], read("float.onnx").size());
    EXPECT_EQ(nlohmann::json::parse(read(std::string(method) + "/result.json")), result);
    EXPECT_EQ(evaluate("float.onnx")["error"], result["reference"]["error"]);
    succeed({"verify", file, "--data", kTrainingData});
  }
}

TEST_F(Compress, LearnsWhereDirectCompressionDoesNot) {
  succeed(train_words("run"));
  const auto loss_of = [&](const std::string& method) {
    return result_of({"compress",
                      "run/reference.onnx",
                      "--data",
                      kTrainingData,
                      "--method",
                      method,
                      "--codebook",
                      "binary",
                      "--epochs",
                      "8",
                      "--batch",
                      "25",
                      "--threads",
                      "1",
                      "--run",
                      method})["test"]["loss"]
        .get<double>();
  };
  EXPECT_LT(loss_of("admm"), loss_of("dc"));
}

TEST_F(Compress, WritesEverySet) {
  const std::map<std::size_t, double> bits_of = {{2, 1.0}, {3, 1.6}, {5, 8.0 / 3}, {7, 4.0}};
  const std::vector<std::pair<std::string, std::size_t>> sets = {{"binary", 2},
                                                                 {"ternary", 3},
                                                                 {"shift:1", 5},
                                                                 {"shift:2", 7},
                                                                 {"binary/channel", 2},
                                                                 {"ternary/channel", 3},
                                                                 {"shift:2/channel", 7}};
  for (const auto& [set, levels] : sets) {
    const Finished run = succeed(
        {"compress", "float.onnx", "--method", "dc", "--codebook", set, "--run", "run", "--force"});
    EXPECT_THAT(run.out, Not(HasSubstr("test error")));
    const Graph graph = read_onnx(path("run/compressed.onnx"));
    for (const char* name : {"fc1.weight", "fc2.weight"}) {
      const LowBitTensor& weight = lowbit(graph, name);
      EXPECT_EQ(static_cast<std::size_t>(weight.codebook.size()), levels) << set;
      const bool channels = set.find("/channel") != std::string::npos;
      EXPECT_EQ(weight.scales.size(), channels ? static_cast<std::size_t>(weight.shape[0]) : 1U);
    }
    const auto inspect =
        nlohmann::json::parse(succeed({"inspect", "run/compressed.onnx", "--json"}).out);
    EXPECT_THAT(inspect["layers"][0]["codebook"].get<std::string>(),
                ::testing::StartsWith(set.substr(0, set.find('/'))));
    EXPECT_NEAR(inspect["layers"][0]["bits_per_weight"].get<double>(), bits_of.at(levels), 0.01);
  }
}

TEST_F(Compress, AddsAtMost2KiBToWhatLeNet5Needs) {
  succeed({"zoo", "lenet5", "--out", "lenet5.onnx"});
  succeed({"compress", "lenet5.onnx", "--method", "dc", "--run", "run"});
  const auto inspect =
      nlohmann::json::parse(succeed({"inspect", "run/compressed.onnx", "--json"}).out);
  std::int64_t needed = 0;
  for (const auto& layer : inspect["layers"]) needed += layer["bytes"].get<std::int64_t>();
  const auto file = inspect["file_bytes"].get<std::int64_t>();
  EXPECT_LE(file, needed + 2048);
  EXPECT_LE(file, 95'000);
}

TEST_F(Compress, FollowsTheLastRuleThatMatches) {
  succeed({"compress",
           "float.onnx",
           "--method",
           "dc",
           "--codebook",
           "ternary",
           "--codebook",
           "fc*=binary",
           "--codebook",
           "fc2=float",
           "--run",
           "run"});
  const Graph graph = read_onnx(path("run/compressed.onnx"));
  EXPECT_EQ(lowbit(graph, "fc1.weight").codebook.size(), 2);
  EXPECT_TRUE(std::holds_alternative<Tensor>(*graph.find_initializer("fc2.weight")));
  EXPECT_EQ(decode(*graph.find_initializer("fc2.weight")),
            decode(*read_onnx(path("float.onnx")).find_initializer("fc2.weight")));
}

TEST_F(Compress, RepeatsByteForByteFromItsConfiguration) {
  Words words = compress_words("float.onnx", "run");
  words.insert(words.end(),
               {"--codebook",
                "ternary",
                "--codebook",
                "fc2=shift:1/channel",
                "--save-config",
                "saved.toml",
                "--rho",
                "0.001..0.1"});
  succeed(words);
  succeed({"compress", "--config", "saved.toml", "--run", "again"});
  EXPECT_EQ(read("again/compressed.onnx"), read("run/compressed.onnx"));
  succeed({"compress", "--config", "run/config.toml", "--run", "third"});
  EXPECT_EQ(read("third/compressed.onnx"), read("run/compressed.onnx"));
  succeed({"compress", "--config", "saved.toml", "--run", "other", "--seed", "77"});
  EXPECT_NE(read("other/compressed.onnx"), read("run/compressed.onnx"));
}

TEST_F(Compress, WritesDecodingInlineWhereAsked) {
  const Words words = {"compress", "float.onnx", "--method", "dc", "--run"};
  Words plain = words;
  plain.push_back("plain");
  Words inlined = words;
  inlined.insert(inlined.end(), {"inlined", "--inline-decode"});
  succeed(plain);
  succeed(inlined);
  EXPECT_THAT(read("plain/compressed.onnx"), HasSubstr("lastbit.v1"));
  EXPECT_THAT(read("inlined/compressed.onnx"), Not(HasSubstr("lastbit.v1")));
  auto a = evaluate("plain/compressed.onnx");
  auto b = evaluate("inlined/compressed.onnx");
  EXPECT_EQ(a["loss"], b["loss"]);
  EXPECT_EQ(a["error"], b["error"]);
}

TEST_F(Compress, WritesTheModelWhereAsked) {
  succeed({"compress", "float.onnx", "--method", "dc", "--run", "run", "--out", "deep/c.onnx"});
  EXPECT_THAT(names(), Contains("deep/c.onnx"));
  EXPECT_THAT(names(), Not(Contains("run/compressed.onnx")));
}

TEST_F(Compress, NeedsDataOnlyToTrain) {
  expect_refusal(lastbit({"compress", "float.onnx"}), {"'admm' trains", "--data"});
  EXPECT_THAT(names(), ElementsAre("float.onnx"));
  succeed({"compress", "float.onnx", "--method", "dc"});
  EXPECT_THAT(names(), Contains("runs/float-dc/compressed.onnx"));
}

TEST_F(Compress, EndsDirectCompressionWithAFinishWhereAsked) {
  const Words words = {"compress", "float.onnx", "--method", "dc", "--finish-epochs", "1"};
  const Finished run = succeed(training(words, {"--batch", "25", "--run", "run"}));
  EXPECT_THAT(run.err, HasSubstr("finish epoch 1/1  loss "));
  EXPECT_EQ(nlohmann::json::parse(read("run/result.json"))["epochs_trained"], 1);

  const Finished refused = lastbit(words);
  EXPECT_EQ(refused.code, 2);
  EXPECT_EQ(refused.err,
            "lastbit: [compress] the finish trains, expected --data with a data set\n");
}

TEST_F(Compress, WritesOverARunOnlyWhenForced) {
  const Words words = {"compress", "float.onnx", "--method", "dc", "--run", "run"};
  succeed(words);
  const std::string before = read("run/compressed.onnx");
  Words binary = words;
  binary.insert(binary.end(), {"--codebook", "binary"});
  expect_refusal(lastbit(binary), {"run already holds a run", "--force"});
  EXPECT_EQ(read("run/compressed.onnx"), before);
  binary.push_back("--force");
  succeed(binary);
  EXPECT_NE(read("run/compressed.onnx"), before);
}

TEST_F(Compress, LeavesNoHalfFileWhereTheDiskIsFull) {
  const SmallDisk disk(path("disk"), 24 * 1024);
  if (!disk.mounted()) GTEST_SKIP() << "a small file system can only be mounted by root";
  const Words words = {"compress", "float.onnx", "--method", "dc", "--run", "disk/run"};
  expect_refusal(lastbit(words), {"disk/run/", "No space left"});
  EXPECT_THAT(names(), Each(Not(HasSubstr(".onnx."))));
  EXPECT_THAT(names(), Not(Contains("disk/run/compressed.onnx")));
}

TEST_F(Compress, LeavesNoHalfFileAtTheLimitOfFileSizes) {
  const Finished run =
      lastbit({"compress", "float.onnx", "--method", "dc", "--run", "run"}, {.file_limit = 4000});
  expect_refusal(run, {"run/", "File too large"});
  EXPECT_THAT(names(), Not(Contains(HasSubstr("onnx."))));
  EXPECT_THAT(names(), Not(Contains("run/compressed.onnx")));
}

TEST_F(Compress, FailsWhereItsResultCannotBePrinted) {
  const Words words = {"compress", "float.onnx", "--method", "dc", "--run", "run", "--json"};
  expect_sentence(lastbit(words, {.output = "/dev/full"}), 1, {"standard output"});
  // The work itself is done and kept.
  EXPECT_THAT(names(), Contains("run/compressed.onnx"));
}

}  // namespace
}  // namespace lastbit
