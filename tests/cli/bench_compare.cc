#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

// `lastbit bench --compare onnxruntime`: where it looks, what it prints, and what it makes of a
// library that misbehaves. A fake one stands for ONNX Runtime but where the real one is installed.

namespace lastbit {
namespace {

namespace fs = std::filesystem;

class BenchCompare : public CommandTest {
 protected:
  void SetUp() override { succeed({"zoo", "mlp", "--hidden", "4", "--out", "m.onnx"}); }

  Words words(const Words& more = {}) const {
    Words result = {
        "bench", path("m.onnx").string(), "--seconds", "0.02", "--compare", "onnxruntime"};
    result.insert(result.end(), more.begin(), more.end());
    return result;
  }
  // Nothing but what the test itself made is found.
  Finished compare(const Words& more, Start start = {}) const {
    start.environment.emplace("NODE_PATH", "");
    return lastbit(words(more), std::move(start));
  }
  Finished compare_with_fake(const std::string& behaviour, const Words& more = {}) const {
    Words all = {"--onnxruntime", LASTBIT_FAKE_ONNXRUNTIME};
    all.insert(all.end(), more.begin(), more.end());
    return compare(all, {.environment = {{"FAKE", behaviour}}});
  }
  // A package as npm lays it out, for both kinds of processor.
  void install(const std::string& modules) const {
    for (const std::string processor : {"x64", "arm64"}) {
      const fs::path folder =
          path(modules) / "onnxruntime-node" / "bin" / "napi-v6" / "linux" / processor;
      fs::create_directories(folder);
      fs::create_symlink(LASTBIT_FAKE_ONNXRUNTIME, folder / "libonnxruntime.so.1");
    }
  }
};

void expect_found(const Finished& run) {
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, ::testing::HasSubstr("ONNX Runtime 0.0-fake: median"));
}

TEST_F(BenchCompare, SaysHowToInstallAMissingPackage) {
  expect_refusal(compare({}), {"[onnxruntime]", "npm install onnxruntime-node", "--onnxruntime"});
  expect_refusal(compare({"--onnxruntime", "nowhere"}), {"'nowhere'", "npm install"});
  fs::create_directories(path("node_modules/onnxruntime-node/bin/napi-v6/linux"));
  expect_refusal(compare({}), {"npm install onnxruntime-node"});
}

TEST_F(BenchCompare, FindsThePackageInAFolderAbove) {
  install("node_modules");
  fs::create_directories(path("deep/er"));
  expect_found(compare({}, {.folder = path("deep/er")}));
}

TEST_F(BenchCompare, FindsThePackageInNodePath) {
  install("lib");
  expect_found(compare({}, {.environment = {{"NODE_PATH", "/none:" + path("lib").string()}}}));
}

TEST_F(BenchCompare, FindsThePackageThatTheTestsInstall) {
  install("build/onnxruntime/node_modules");
  expect_found(compare({}));
}

TEST_F(BenchCompare, TakesThePackageOrAFolderThatHoldsIt) {
  install("there/node_modules");
  expect_found(compare({"--onnxruntime", "there"}));
  expect_found(compare({"--onnxruntime", "there/node_modules"}));
  expect_found(compare({"--onnxruntime", "there/node_modules/onnxruntime-node"}));
}

TEST_F(BenchCompare, RefusesOptionsOfAComparisonWithoutOne) {
  expect_refusal(lastbit({"bench", "m.onnx", "--patience", "1"}), {"--patience", "--compare"});
  expect_refusal(lastbit({"bench", "m.onnx", "--onnxruntime", "."}),
                 {"--onnxruntime", "--compare"});
  expect_refusal(lastbit({"bench", "m.onnx", "--compare", "other"}), {"--compare", "other"});
}

TEST_F(BenchCompare, ReportsALibraryThatIsNone) {
  write("text.so", "no library");
  expect_sentence(compare({"--onnxruntime", "text.so"}), 1, {"[onnxruntime]", "text.so"});
  expect_sentence(compare({"--onnxruntime", LASTBIT_NO_ONNXRUNTIME}), 1, {"OrtGetApiBase"});
}

TEST_F(BenchCompare, ReportsAVersionThatIsTooOld) {
  expect_sentence(compare_with_fake("old"), 1, {"0.0-fake", "expected 1.16 or later"});
}

TEST_F(BenchCompare, ReportsTheReasonOfOnnxRuntime) {
  expect_sentence(compare_with_fake("refuses"), 1, {"[onnxruntime] no such operator"});
  expect_sentence(compare_with_fake("fails"), 1, {"[onnxruntime] out of luck"});
}

TEST_F(BenchCompare, ReportsACrash) {
  expect_sentence(compare_with_fake("crashes"), 1, {"[onnxruntime] ended by signal 9"});
  expect_sentence(compare_with_fake("ends"), 1, {"[onnxruntime] ended with code 3"});
}

TEST_F(BenchCompare, GivesUpOnALibraryThatNeverAnswers) {
  expect_sentence(compare_with_fake("hangs", {"--patience", "0.5"}), 1, {"no answer within"});
}

TEST_F(BenchCompare, ReportsOutputsThatAreNotTheModels) {
  expect_sentence(compare_with_fake("short"), 1, {"gives 9 values, expected 10"});
  expect_sentence(compare_with_fake("integers"), 1, {"elements of type 7, expected float32"});
}

TEST_F(BenchCompare, TakesNotANumberForInfinitelyFarOff) {
  const Finished run = compare_with_fake("nan");
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, ::testing::HasSubstr("outputs differ by inf"));
  const Finished json = compare_with_fake("nan", {"--json"});
  EXPECT_TRUE(nlohmann::json::parse(json.out)["compare"]["max_difference"].is_null());
}

TEST_F(BenchCompare, AgreesWithTheRealOnnxRuntime) {
  const fs::path folder = LASTBIT_REAL_ONNXRUNTIME;
  if (!fs::exists(folder / "node_modules" / "onnxruntime-node")) {
    GTEST_SKIP() << "onnxruntime-node is not installed in " << folder;
  }
  succeed({"zoo", "lenet5", "--codebook", "ternary", "--seed", "1", "--out", "m.onnx"});
  const Finished run =
      compare({"--onnxruntime", folder.string(), "--batch", "3", "--threads", "2", "--json"});
  ASSERT_EQ(run.code, 0) << run.err;
  const auto json = nlohmann::json::parse(run.out);
  const auto& other = json["compare"];
  EXPECT_LE(other["max_difference"], 1e-4);  // as tests/onnxruntime asks of all networks
  EXPECT_GT(other["max_output"], 1e-2);
  EXPECT_GT(other["median_ms"], 0.0);
  EXPECT_GE(other["p95_ms"], other["median_ms"]);
  EXPECT_LE(other["ratio_min"], other["ratio"]);
  EXPECT_LE(other["ratio"], other["ratio_max"]);
  EXPECT_EQ(json["threads"], 2);
}

}  // namespace
}  // namespace lastbit
