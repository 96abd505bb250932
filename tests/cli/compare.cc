#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/cli/compression_test.h"

namespace lastbit {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class Compare : public CompressionTest {
 protected:
  static Words words_of(const Words& more, const std::string& run = "run") {
    return on_model("compare", {"--epochs", "1"}, more, run);
  }
  nlohmann::json rows_of(Words words) const {
    words.push_back("--json");
    return nlohmann::json::parse(succeed(words).out);
  }
  // Without what was measured by the clock.
  static nlohmann::json figures(nlohmann::json rows) {
    for (auto& row : rows) {
      row.erase("seconds");
      row.erase("time_ratio");
    }
    return rows;
  }
  void refuse(const Words& more, const Words& expected) const {
    expect_refused(words_of(more), expected);
  }
};

TEST_F(Compare, SetsMethodsSideBySide) {
  const Words words = words_of({"--methods",
                                "dc,lc,admm:extragradient=true:learning-rate=cosine:0.1",
                                "--codebooks",
                                "ternary,levels:-1,0,0.5,1/channel",
                                "--seeds",
                                "2"});
  const Finished run = succeed(words);
  EXPECT_THAT(run.err, HasSubstr("[1/13] an epoch in float, for its time\n"));
  EXPECT_THAT(run.err, HasSubstr("[2/13] dc, ternary, seed 0"));
  EXPECT_THAT(run.err,
              HasSubstr("] admm:extragradient=true:learning-rate=cosine:0.1, "
                        "levels:-1,0,0.5,1/channel, seed 1"));
  EXPECT_THAT(run.out, HasSubstr("method"));
  EXPECT_THAT(run.out, HasSubstr(" ± "));
  EXPECT_THAT(names(), Contains("run/compare.csv"));

  // Called again, it runs nothing and has the same to say.
  const Finished again = succeed(words);
  EXPECT_EQ(again.out, run.out);
  EXPECT_THAT(again.err, HasSubstr("1 of 1 were done before\n"));
  EXPECT_THAT(again.err, HasSubstr("12 of 12 were done before\n"));
  EXPECT_THAT(again.err, Not(HasSubstr("compress epoch")));

  const nlohmann::json rows = rows_of(words);
  ASSERT_EQ(rows.size(), 6U);
  EXPECT_EQ(nlohmann::json::parse(read("run/compare.json")), rows);
  EXPECT_EQ(rows[0]["method"], "dc");
  EXPECT_EQ(rows[0]["codebook"], "ternary");
  EXPECT_EQ(rows[0]["error_sd"], 0.0) << "direct compression knows no seed";
  EXPECT_EQ(rows[0]["seconds"], 0.0);
  EXPECT_EQ(rows[0]["time_ratio"], 0.0);
  EXPECT_EQ(rows[4]["method"], "lc");
  EXPECT_EQ(rows[4]["codebook"], "levels:-1,0,0.5,1/channel");
  for (const auto& row : rows) {
    EXPECT_EQ(row["seeds"], 2);
    EXPECT_TRUE(row["bytes"].is_number_integer());
    EXPECT_GT(row["ratio"], 5.0);
    if (row["method"] != "dc") {
      EXPECT_GT(row["time_ratio"], 0.0);
    }
  }
  // The mean over the runs that it left behind.
  double sum = 0.0;
  for (const char* seed : {"0", "1"}) {
    const auto result =
        nlohmann::json::parse(read("run/lc-ternary-" + std::string(seed) + "/result.json"));
    sum += result["test"]["error"].get<double>();
    EXPECT_EQ(result["epochs_trained"], 2) << "one, and the finish";
  }
  EXPECT_DOUBLE_EQ(rows[1]["error"].get<double>(), sum / 2.0);

  Words csv = words;
  csv.push_back("--csv");
  const std::string text = succeed(csv).out;
  EXPECT_EQ(text, read("run/compare.csv"));
  EXPECT_THAT(text,
              ::testing::StartsWith("method,codebook,seeds,error,error_sd,loss,loss_sd,bytes,ratio,"
                                    "seconds,time_ratio\ndc,\"ternary\",2,"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 7);

  // One more seed is one more run of each.
  Words more = words;
  more.back() = "3";
  EXPECT_THAT(succeed(more).err, HasSubstr("12 of 18 were done before\n"));
}

TEST_F(Compare, HasTheSameFiguresWithSeveralRunsAtATime) {
  const Words more = {"--methods", "lc,bc", "--codebooks", "binary", "--seeds", "2"};
  const nlohmann::json one = figures(rows_of(words_of(more, "one")));
  Words words = words_of(more, "two");
  words.insert(words.end(), {"--jobs", "2"});
  EXPECT_EQ(figures(rows_of(words)), one);
  EXPECT_THAT(read("two/lc-binary-0/output.txt"), HasSubstr("compress epoch 1/1"));
}

TEST_F(Compare, GivesOptionsToTheMethodsThatHaveThem) {
  succeed(words_of({"--methods", "lc,admm,admm:rho=0.5", "--rho", "0.25", "--finish-epochs=0"}));
  EXPECT_THAT(read("run/admm-ternary-0/config.toml"), HasSubstr("\nrho=0.25\n"));
  EXPECT_THAT(read("run/admm_rho_0.5-ternary-0/config.toml"), HasSubstr("\nrho=0.5\n"));
  EXPECT_THAT(read("run/lc-ternary-0/config.toml"), Not(HasSubstr("rho")));
  EXPECT_THAT(read("run/lc-ternary-0/config.toml"),
              HasSubstr("\nproject-every=\"auto:200steps\"\n"));
  EXPECT_THAT(read("run/lc-ternary-0/config.toml"), HasSubstr("\nfinish-epochs=0\n"));
}

TEST_F(Compare, RunsAgainWithOtherOptionsOnlyWhenForced) {
  const Words methods = {"--methods", "dc,lc"};
  const nlohmann::json before = rows_of(words_of(methods));
  Words other = words_of(methods);
  other.insert(other.end(), {"--epochs=2"});
  other.erase(std::find(other.begin(), other.end(), "--epochs"),
              std::find(other.begin(), other.end(), "--run"));
  const Finished refused = lastbit(other);
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("run/dc-ternary-0 holds a run with other options"));
  EXPECT_THAT(refused.err, HasSubstr("--force"));
  EXPECT_EQ(rows_of(words_of(methods)), before);
  other.push_back("--force");
  EXPECT_NE(figures(rows_of(other)), figures(before));
}

TEST_F(Compare, RepeatsFromItsConfiguration) {
  Words words = words_of({"--methods",
                          "lc,admm:rho=0.5",
                          "--codebooks",
                          "levels:-1,0,0.5,1,binary",
                          "--pull",
                          "0.1..3",
                          "--save-config",
                          "c.toml"});
  const std::string table = succeed(words).out;
  const Finished again = succeed({"compare", "--config", "c.toml"});
  EXPECT_EQ(again.out, table);
  EXPECT_THAT(again.err, HasSubstr("4 of 4 were done before\n"));
}

// Before any run, also of the methods that could take it.
TEST_F(Compare, SaysWhatAMethodCannotTakeInOneSentence) {
  const Finished run = lastbit(words_of({"--methods", "dc,twn", "--codebooks", "binary"}, "one"));
  EXPECT_EQ(run.code, 2);
  EXPECT_EQ(run.err,
            "lastbit: [twn] layer 'any' has codebook binary/tensor, expected ternary with a "
            "scale\n");
  EXPECT_FALSE(std::filesystem::exists(path("one/float")));
}

TEST_F(Compare, RefusesWhatItDoesNotKnow) {
  refuse({"--methods", "lc,lm"}, {"'lm'", "lc", "admm"});
  refuse({"--methods", "lc", "--codebooks", "ternery"}, {"'ternery'", "ternary"});
  refuse({"--methods", "lc,admm,lc"}, {"method 'lc' comes twice"});
  refuse({"--methods", "lc", "--codebooks", "binary,binary"}, {"codebook 'binary' comes twice"});
  refuse({"--methods", "lc:epochs"}, {"'lc:epochs'", "NAME:OPTION=VALUE"});
  refuse({"--methods", "lc:codebook=binary"}, {"'codebook'", "the comparison sets"});
  refuse({"--methods", "lc,dc", "--rho", "1"}, {"none of the methods", "'rho'"});
  refuse({"--methods", "lc", "--seeds", "0"}, {"--seeds", "0"});
  refuse({"--methods", "lc", "--json", "--csv"}, {"--csv", "--json"});
  refuse({}, {"--methods"});
  expect_refusal(lastbit({"compare", "float.onnx", "--methods", "lc"}), {"--data"});
  expect_refusal(lastbit({"compare", "--data", kTrainingData, "--methods", "lc"}), {"model"});
}

}  // namespace
}  // namespace lastbit
