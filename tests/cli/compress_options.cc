#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lastbit/base/text.h"
#include "lastbit/graph/onnx.h"
#include "tests/cli/compression_test.h"

// What `lastbit compress` makes of its codebooks and options.

namespace lastbit {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CompressOptions : public CompressionTest {
 protected:
  static Words words_of(const Words& more) {
    return on_model("compress", {"--finish-epochs", "0"}, more, "run");
  }
  void works(const Words& more) const {
    const Finished finished = lastbit(words_of(more));
    EXPECT_EQ(finished.code, 0) << finished.err;
  }
  void refuse(const Words& more, const Words& expected) const {
    expect_refused(words_of(more), expected);
  }
  LowBitTensor lowbit(const std::string& name) const {
    const Graph graph = read_onnx(path("run/compressed.onnx"));
    return std::get<LowBitTensor>(*graph.find_initializer(name));
  }
  std::vector<nlohmann::json> entries(const std::string& key) const {
    std::vector<nlohmann::json> result;
    for (const auto& entry : log_of("run")) {
      if (entry.contains(key)) result.push_back(entry);
    }
    return result;
  }
};

class EveryCodebook : public CompressOptions, public ::testing::WithParamInterface<std::string> {};

TEST_P(EveryCodebook, IsWrittenVerifiedAndReadBack) {
  works({"--codebook", GetParam(), "--epochs", "1"});
  const std::string file = "run/compressed.onnx";
  EXPECT_THAT(succeed({"verify", file, "--data", kTrainingData, "--threads", "1"}).out,
              HasSubstr(": verified\n"));
  const auto inspect = nlohmann::json::parse(succeed({"inspect", file, "--json"}).out);
  EXPECT_THAT(inspect["layers"][0]["codebook"].get<std::string>(),
              ::testing::StartsWith(GetParam()));
  // Commas of levels are part of the rule, in the file as on the command line.
  succeed({"compress", "--config", "run/config.toml", "--run", "again"});
  EXPECT_EQ(read("again/compressed.onnx"), read(file));
}

INSTANTIATE_TEST_SUITE_P(
    Sets,
    EveryCodebook,
    ::testing::Values("kmeans:4", "pow2:2", "uniform:2", "levels:-1,0,0.5,1", "ternary/group:8"),
    [](const auto& parameter) {
      std::string name;
      for (const char c : parameter.param) {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) name += c;
      }
      return name;
    });

TEST_F(CompressOptions, ShareACodebook) {
  works({"--codebook", "kmeans:3", "--share", "fc*", "--epochs", "1"});
  EXPECT_EQ(lowbit("fc1.weight").codebook, lowbit("fc2.weight").codebook);
  works({"--codebook", "kmeans:3", "--epochs", "1", "--force"});
  EXPECT_NE(lowbit("fc1.weight").codebook, lowbit("fc2.weight").codebook);
}

TEST_F(CompressOptions, ShareNothingThatDiffers) {
  refuse({"--share", "conv*"}, {"'conv*'", "0 low-bit layers"});
  refuse({"--share", "fc1"}, {"'fc1'", "1 low-bit layers"});
  refuse({"--share", "fc*", "--codebook", "ternary", "--codebook", "fc1=binary"},
         {"'fc*'", "binary/tensor", "ternary/tensor"});
  refuse({"--share", "fc*", "--codebook", "ternary/channel"}, {"ternary/channel", "scale"});
  refuse({"--share", "fc*", "--method", "twn"}, {"[twn]", "fc1.weight", "shares"});
}

TEST_F(CompressOptions, DistillTheReference) {
  const auto weights = [&](const Words& more) {
    Words words = {"--epochs", "1", "--force"};
    words.insert(words.end(), more.begin(), more.end());
    works(words);
    return read("run/compressed.onnx");
  };
  const std::string plain = weights({});
  const std::string some = weights({"--distill", "0.5"});
  EXPECT_NE(some, plain);
  EXPECT_EQ(weights({"--distill", "0.5", "--temperature", "4"}), some) << "4 is the default";
  EXPECT_NE(weights({"--distill", "0.5", "--temperature", "1"}), some);
  EXPECT_NE(weights({"--distill", "1"}), some);
}

TEST_F(CompressOptions, EndOnceWeightsAreFeasible) {
  works({"--epochs", "5", "--feasible", "0.99"});
  EXPECT_LT(entries("epoch").size(), 5U);
  EXPECT_EQ(nlohmann::json::parse(read("run/result.json"))["epochs_trained"],
            entries("epoch").size());
}

TEST_F(CompressOptions, ProbeTheLossOnAsManySamplesAsAsked) {
  works({"--epochs", "3", "--probe", "0"});
  ASSERT_FALSE(entries("round").empty());
  EXPECT_TRUE(entries("loss_float").empty());
  const std::string weights = read("run/compressed.onnx");
  works({"--epochs", "3", "--probe", "50", "--force"});
  EXPECT_EQ(entries("loss_float").size(), entries("round").size());
  EXPECT_EQ(entries("loss_low_bit").size(), entries("round").size());
  EXPECT_EQ(read("run/compressed.onnx"), weights) << "a probe only looks";
}

TEST_F(CompressOptions, TakeALongerFirstRound) {
  works({"--epochs", "4", "--project-every", "2epochs,1epoch"});
  std::vector<int> steps;
  for (const auto& entry : entries("round")) steps.push_back(entry["step"].get<int>());
  EXPECT_THAT(steps, ElementsAre(80, 120, 160));
}

TEST_F(CompressOptions, TakeThePapersSettingsForWhatIsNotGiven) {
  works({"--method", "lc", "--schedule", "paper", "--epochs", "2", "--project-every", "1epoch"});
  const std::string config = read("run/config.toml");
  for (const char* line : {"mu=\"9e-5*1.1\"",
                           "learning-rate=\"0.09*0.98@round\"",
                           "momentum=0.9",
                           "weight-decay=0",
                           "epochs=2",
                           "batch=25",
                           "project-every=\"1epoch\""}) {
    EXPECT_THAT(config, HasSubstr(cat("\n", line, "\n")));
  }
  EXPECT_EQ(entries("round").at(0)["penalty"], 9e-5);
  succeed({"compress", "--config", "run/config.toml", "--run", "again"});
  EXPECT_EQ(read("again/compressed.onnx"), read("run/compressed.onnx"));
}

TEST_F(CompressOptions, HaveNoSettingsOfAPaperThatGivesNone) {
  refuse({"--method", "dc", "--schedule", "paper"}, {"'dc'", "--schedule auto"});
  refuse({"--method", "gd-tanh", "--schedule", "paper"}, {"'gd-tanh'", "--schedule auto"});
  refuse({"--schedule", "papers"}, {"papers", "auto", "paper"});
}

TEST_F(CompressOptions, OfOtherMethodsAreRefused) {
  refuse({"--method", "lc", "--rho", "1"}, {"'lc'", "'rho'", "pull, mu"});
  refuse({"--method", "admm", "--mu", "1"}, {"'admm'", "'mu'", "rho"});
  refuse({"--method", "lc", "--no-balance"}, {"'lc'", "'balance'"});
  refuse({"--method", "dc", "--pull", "1"}, {"'dc'", "'pull'", "no options"});
}

TEST_F(CompressOptions, LieInTheirRange) {
  refuse({"--distill=1.5"}, {"--distill", "'1.5', expected a number from 0 to 1"});
  refuse({"--distill=nan"}, {"--distill", "'nan', expected a number from 0 to 1"});
  refuse({"--feasible=-0.1"}, {"--feasible", "'-0.1', expected a number from 0 to 1"});
  refuse({"--feasible=nan"}, {"--feasible", "'nan', expected a number from 0 to 1"});
  refuse({"--temperature=0"}, {"--temperature", "'0', expected a number from 0.01 to 100"});
  refuse({"--temperature=nan"}, {"--temperature", "'nan', expected a number from 0.01 to 100"});
  refuse({"--probe=-1"}, {"--probe", "-1"});
  for (const char* text : {"2epochs,", "2epochs,10steps", "1epoch,1epoch,1epoch"}) {
    refuse({"--project-every", text}, {"project-every", text});
  }
  refuse({"--prediction", "0"}, {"[admm --prediction]", "'0'"});
  refuse({"--method", "bc", "--codebook", "binary", "--draw-seed", "-1"}, {"[bc --draw-seed]"});
  for (const char* set : {"kmeans:1", "kmeans:2/channel", "levels:nan,1", "ternary/group:0"}) {
    refuse({"--codebook", set}, {"[codebook]", set});
  }
}

TEST_F(CompressOptions, OfMethodsSayWhichCodebooksTheyTake) {
  refuse({"--method", "bc", "--codebook", "ternary"}, {"[bc]", "ternary/tensor", "binary"});
  refuse({"--method", "md-tanh-s", "--codebook", "kmeans:2"}, {"[md-tanh-s]", "kmeans:2/none"});
}

}  // namespace
}  // namespace lastbit
