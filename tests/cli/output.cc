#include <algorithm>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lastbit/data/npy.h"
#include "tests/cli/program.h"
#include "tests/cli/small_disk.h"

// What the programs do where they cannot write, and what they write where they can.

namespace lastbit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kDigits = "digits:train=20,test=30";

class Output : public CommandTest {
 protected:
  void SetUp() override { succeed({"zoo", "mlp", "--hidden", "4", "--out", "m.onnx"}); }
  std::vector<float> floats(const std::string& name) const {
    const std::string bytes = read(name);
    return npy_floats(parse_npy(std::as_bytes(std::span(bytes)), name), name);
  }
};

TEST_F(Output, IsRefusedWhereNoFolderCanBe) {
  write("file", "");
  for (const char* place : {"file/m.onnx", "/proc/m.onnx", "/dev/null/m.onnx", "/"}) {
    expect_refusal(lastbit({"zoo", "mlp", "--out", place}), {place});
    expect_refusal(lastbit({"run", "m.onnx", "--data", kDigits, "--out", place}), {place});
    expect_refusal(lastbit({"run", "m.onnx", "--data", kDigits, "--inputs-out", place}), {place});
    expect_refusal(lastbit({"inspect", "m.onnx", "--save-config", place}), {place});
  }
  EXPECT_THAT(names(), ElementsAre("file", "m.onnx"));
}

TEST_F(Output, LeavesTheOldFileWhereTheNewOneDoesNotFit) {
  write("out.npy", "old");
  const Start small{.file_limit = 500};
  expect_refusal(lastbit({"run", "m.onnx", "--data", kDigits, "--out", "out.npy"}, small),
                 {"out.npy", "File too large"});
  expect_refusal(lastbit({"zoo", "lenet5", "--out", "out.npy"}, small),
                 {"out.npy", "File too large"});
  EXPECT_EQ(read("out.npy"), "old");
  EXPECT_THAT(names(), ElementsAre("m.onnx", "out.npy"));
}

TEST_F(Output, LeavesNothingOnAFullDisk) {
  const SmallDisk disk(path("disk"), 64 * 1024);
  if (!disk.mounted()) GTEST_SKIP() << "a small file system can only be mounted by root";
  expect_refusal(lastbit({"zoo", "lenet300", "--out", "disk/m.onnx"}),
                 {"disk/m.onnx", "No space left"});
  expect_refusal(
      lastbit({"run", "m.onnx", "--data", "digits:train=20,test=5000", "--out", "disk/out.npy"}),
      {"disk/out.npy", "No space left"});
  EXPECT_TRUE(std::filesystem::is_empty(path("disk")));
}

TEST_F(Output, ThatCannotBePrintedFails) {
  for (const Words& words : {Words{"zoo"},
                             Words{"--help"},
                             Words{"eval", "--help"},
                             Words{"inspect", "m.onnx"},
                             Words{"eval", "m.onnx", "--data", kDigits, "--json"},
                             Words{"bench", "m.onnx", "--seconds", "0.01", "--json"}}) {
    expect_sentence(lastbit(words, {.output = "/dev/full"}), 1, {"standard output"});
    expect_sentence(lastbit(words, {.close_output = true}), 1, {"standard output"});
  }
}

TEST_F(Output, StaysOutOfTheFilesWhereStandardStreamsAreClosed) {
  const Start closed{.close_output = true, .close_errors = true};
  EXPECT_EQ(lastbit({"zoo", "mlp", "--hidden", "4", "--out", "again.onnx"}, closed).code, 1);
  EXPECT_EQ(read("again.onnx"), read("m.onnx"));
}

TEST_F(Output, OfRunIsWhatEvalScores) {
  const Finished run =
      succeed({"run", "m.onnx", "--data", kDigits, "--out", "out.npy", "--inputs-out", "in.npy"});
  EXPECT_THAT(run.out, HasSubstr("wrote out.npy [30, 10]"));
  EXPECT_THAT(run.out, HasSubstr("wrote in.npy [30, 1, 28, 28]"));
  const Dataset digits = open_dataset(kDigits, {});
  std::vector<std::int64_t> all(30);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  EXPECT_EQ(floats("in.npy"), gather(*digits.test, all));
  int misses = 0;
  const std::vector<float> values = floats("out.npy");
  for (std::size_t i = 0; i < 30; ++i) {
    const auto* const row = values.data() + 10 * i;
    misses += std::max_element(row, row + 10) - row != digits.test->labels()[i];
  }
  const Finished eval = succeed({"eval", "m.onnx", "--data", kDigits, "--json"});
  EXPECT_DOUBLE_EQ(nlohmann::json::parse(eval.out)["error"].get<double>(), 100.0 * misses / 30);
}

TEST_F(Output, OfRunShowsTheFirstSamplesWithoutAFile) {
  const Finished run = succeed({"run", "m.onnx", "--data", kDigits});
  EXPECT_THAT(run.out, HasSubstr("sample 0: class "));
  EXPECT_THAT(run.out, HasSubstr("sample 9: class "));
  EXPECT_THAT(run.out, ::testing::Not(HasSubstr("sample 10")));
}

TEST_F(Output, DoesNotDependOnBatchAndThreads) {
  const auto loss = [&](const Words& more) {
    Words words = {"eval", "m.onnx", "--data", kDigits, "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return nlohmann::json::parse(succeed(words).out)["loss"].get<double>();
  };
  const double expected = loss({});
  EXPECT_NEAR(loss({"--batch", "1"}), expected, 1e-5 * expected);
  EXPECT_NEAR(loss({"--batch", "7"}), expected, 1e-5 * expected);
  EXPECT_NEAR(loss({"--threads", "2"}), expected, 1e-5 * expected);
  EXPECT_NE(loss({"--part", "train"}), expected);
}

TEST_F(Output, IsOneLineOfJsonWhereAsked) {
  const auto parse = [&](const Words& words, const Words& keys) {
    const Finished run = succeed(words);
    EXPECT_EQ(run.out.find('\n') + 1, run.out.size());
    const auto json = nlohmann::json::parse(run.out);
    for (const std::string& key : keys) EXPECT_TRUE(json.contains(key)) << key;
    return json;
  };
  const auto eval = parse({"eval", "m.onnx", "--data", kDigits, "--json"},
                          {"model", "data", "part", "error", "loss", "examples", "bytes"});
  EXPECT_EQ(eval["examples"], 30);
  EXPECT_EQ(eval["bytes"], read("m.onnx").size());
  const auto bench = parse({"bench", "m.onnx", "--seconds", "0.02", "--threads", "2", "--json"},
                           {"median_ms", "p95_ms", "threads", "ms_per_sample", "runs"});
  EXPECT_EQ(bench["threads"], 2);
  EXPECT_GT(bench["median_ms"], 0.0);
  EXPECT_GE(bench["p95_ms"], bench["median_ms"]);
  const auto inspect = parse({"inspect", "m.onnx", "--json"}, {"file_bytes", "layers", "ratio"});
  EXPECT_EQ(inspect["file_bytes"], read("m.onnx").size());
}

TEST_F(Output, NamesAnyFileInJson) {
  const std::string name = "caf\xe9 \"1\".onnx";  // not UTF-8
  std::filesystem::copy_file(path("m.onnx"), path(name));
  const Finished run = succeed({"inspect", name, "--json"});
  EXPECT_NE(nlohmann::json::parse(run.out)["model"], "");
}

}  // namespace
}  // namespace lastbit
