#include <cstdlib>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lastbit/base/text.h"
#include "lastbit/method/registry.h"
#include "tests/cli/training_test.h"

namespace lastbit {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Methods = CommandTest;

TEST_F(Methods, AreListedWithTheirSources) {
  const Finished run = succeed({"methods"});
  for (const MethodInfo& info : lastbit::methods()) {
    EXPECT_THAT(run.out, HasSubstr(cat(info.name, "  ")));
    EXPECT_THAT(run.out, HasSubstr(cat(info.summary, "\n")));
  }
}

TEST_F(Methods, AreShownWithTheirOptions) {
  for (const char* name : {"admm", "lc", "dc", "bc"}) {
    const MethodInfo& info = find_method(name);
    const Finished run = succeed({"methods", name});
    for (const OptionInfo& option : info.options) {
      EXPECT_THAT(run.out, HasSubstr(cat("\n  --", option.name, ": ")));
      EXPECT_THAT(run.out,
                  HasSubstr(option.fallback.empty() ? "" : cat(" [", option.fallback, "]")));
    }
    EXPECT_EQ(run.out.find("--schedule paper") != std::string::npos, !info.paper.empty());
  }
  EXPECT_THAT(succeed({"methods", "lc"}).out,
              HasSubstr("where nothing else is given: --project-every auto:200steps\n"));
  expect_refusal(lastbit({"methods", "cl"}), {"'cl'", "lc", "admm", "parq"});
}

class Reproduce : public TrainingTest {};

TEST_F(Reproduce, ListsTheExperiments) {
  const Finished run = succeed({"reproduce"});
  for (const char* name : {"lc-lenet300",
                           "lc-lenet300-tradeoff",
                           "lc-lenet5",
                           "lc-binary",
                           "admm-lenet5",
                           "md-mnist",
                           "parq-table1",
                           "md-cifar10",
                           "lc-vgg-cifar10",
                           "admm-imagenet",
                           "md-imagenet",
                           "lc-superresolution"}) {
    EXPECT_THAT(cat("\n", run.out), HasSubstr(cat("\n", name, " ")));
  }
  EXPECT_THAT(run.err, IsEmpty());
}

TEST_F(Reproduce, RefusesWhatItDoesNotKnow) {
  expect_refusal(lastbit({"reproduce", "lc-lenet3000"}), {"'lc-lenet3000'", "lc-lenet300"});
  expect_refusal(lastbit({"reproduce", "lc-lenet300", "--seeds", "0"}), {"--seeds", "0"});
  EXPECT_THAT(names(), IsEmpty());
}

class SuperResolution : public Reproduce {
 protected:
  nlohmann::json rows_of(Words words) const {
    const Words more = {"--seeds", "1", "--threads", "1", "--run", "run", "--json"};
    words.insert(words.begin(), {"reproduce", "lc-superresolution"});
    words.insert(words.end(), more.begin(), more.end());
    const Finished run = succeed(words);
    EXPECT_EQ(run.out, read("run/reproduce.json"));
    return nlohmann::json::parse(run.out);
  }
  static void expect_order(const nlohmann::json& rows) {
    std::map<std::string, double> loss;
    for (const auto& row : rows) {
      EXPECT_EQ(row["experiment"], "lc-superresolution");
      EXPECT_EQ(row["seeds"], 1);
      EXPECT_TRUE(row["published"].is_null());
      if (row["metric"] == "training loss") loss[row["setting"]] = row["ours"];
    }
    EXPECT_EQ(loss.size(), 7U);
    for (const std::string levels : {"K=2", "K=4"}) {
      EXPECT_LT(loss["lc, " + levels], loss["idc, " + levels]);
      EXPECT_LE(loss["idc, " + levels], loss["dc, " + levels] * (1.0 + 1e-6));
      EXPECT_LT(loss["float reference"], loss["lc, " + levels]);
    }
    EXPECT_LT(loss["lc, K=4"], loss["lc, K=2"]);
  }
};

TEST_F(SuperResolution, IsBestByLc) {
  expect_order(rows_of({"--data", "digits:train=2000,test=10"}));
}

TEST_F(SuperResolution, IsBestByLcOnMnist) {
  const char* root = std::getenv("LASTBIT_DATA");
  if (root == nullptr) GTEST_SKIP() << "LASTBIT_DATA names no folder with mnist";
  expect_order(rows_of({"--data", "mnist", "--data-dir", root}));
}

TEST_F(SuperResolution, RefusesOtherImages) {
  expect_refusal(lastbit({"reproduce", "lc-superresolution", "--data", kTrainingData}),
                 {"1000 samples of [1, 28, 28]", "at least 2000"});
  write("set/x_train.npy", npy("|u1", "(1, 2, 2)", "abcd"));
  write("set/y_train.npy", npy("|u1", "(1,)", std::string(1, '\0')));
  write("set/x_test.npy", npy("|u1", "(1, 2, 2)", "abcd"));
  write("set/y_test.npy", npy("|u1", "(1,)", std::string(1, '\0')));
  expect_refusal(lastbit({"reproduce", "lc-superresolution", "--data", "set"}), {"[1, 28, 28]"});
}

}  // namespace
}  // namespace lastbit
