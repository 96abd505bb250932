#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lastbit/cli/model_inputs.h"
#include "lastbit/graph/onnx.h"
#include "tests/cli/program.h"
#include "tests/cli/small_detector.h"
#include "tests/cli/small_language_model.h"

// Models that take integers, leave several sizes open or end in NonMaxSuppression, in `bench`.

namespace lastbit {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;

class BenchInputs : public CommandTest {
 protected:
  void SetUp() override {
    write_onnx(path("lm.onnx"), small_language_model());
    write_onnx(path("d.onnx"), small_detector());
  }
  Finished bench(const Words& more) const {
    Words words = {"bench", "--seconds", "0.02"};
    words.insert(words.end(), more.begin(), more.end());
    return lastbit(words);
  }
};

TEST_F(BenchInputs, TakeSizesByTheirNames) {
  const auto arena = [&](const std::string& steps) {
    const Finished run = bench({"lm.onnx", "--size", "steps=" + steps, "--batch", "3", "--json"});
    EXPECT_EQ(run.code, 0) << run.err;
    return nlohmann::json::parse(run.out)["arena_bytes"].get<int>();
  };
  EXPECT_GT(arena("60"), arena("5"));
  EXPECT_EQ(bench({"lm.onnx", "--size", "steps=5", "--size", "batch=2"}).code, 0);
  EXPECT_EQ(bench({"d.onnx", "--batch", "2"}).code, 0);
}

TEST_F(BenchInputs, SayWhichSizeIsMissing) {
  expect_refusal(bench({"lm.onnx"}), {"'tokens' is [steps, batch]", "--size steps=N"});
  expect_refusal(bench({"lm.onnx", "--size", "step=5"}), {"--size steps=N"});
  expect_refusal(bench({"lm.onnx", "--size", "steps=5", "--size", "words=3"}), {"'words'"});
  for (const std::string bad : {"steps=0", "steps=", "=3", "steps", "steps=5x", "steps=-1"}) {
    expect_refusal(bench({"lm.onnx", "--size", bad}), {"'" + bad + "'", "NAME=N"});
  }
  expect_refusal(bench({"lm.onnx", "--size", "steps=5", "--size", "steps=6"}), {"twice"});
}

TEST_F(BenchInputs, AreIntegersThatTheModelTakes) {
  const Graph graph = small_language_model();
  EXPECT_EQ(integers_of(graph, "tokens"), 7);
  const Session session(graph, {.sizes = {{"steps", 50}, {"batch", 4}}});
  Random random(1);
  const auto inputs = random_inputs(graph, session, random);
  EXPECT_THAT(inputs[0], Each(AllOf(Ge(0.0F), Le(6.0F))));
  EXPECT_THAT(inputs[0], ::testing::IsSupersetOf({0.0F, 1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F}));
  // Through a node that moves them, and of two tables the smaller.
  Graph moved = graph;
  moved.nodes.insert(moved.nodes.begin(),
                     {.name = "turn",
                      .op = "Transpose",
                      .domain = {},
                      .inputs = {"tokens"},
                      .outputs = {"turned"},
                      .attributes = {}});
  moved.nodes.push_back({.name = "second",
                         .op = "Gather",
                         .domain = {},
                         .inputs = {"softmax.weight", "turned"},
                         .outputs = {"rows"},
                         .attributes = {}});
  EXPECT_EQ(integers_of(moved, "tokens"), 4);
  moved.nodes.back().attributes["axis"] = std::int64_t{-1};
  moved.nodes.erase(moved.nodes.begin() + 1);
  EXPECT_EQ(integers_of(moved, "tokens"), 7);
  EXPECT_EQ(integers_of(small_detector(), "input"), 2);
}

TEST_F(BenchInputs, OfASavedConfigurationAreReadBack) {
  const Finished run = bench({"lm.onnx", "--size", "steps=5", "--save-config", "c.toml"});
  ASSERT_EQ(run.code, 0) << run.err;
  succeed({"bench", "--config", "c.toml"});
}

TEST_F(BenchInputs, AgreeWithTheRealOnnxRuntime) {
  const fs::path folder = LASTBIT_REAL_ONNXRUNTIME;
  if (!fs::exists(folder / "node_modules" / "onnxruntime-node")) {
    GTEST_SKIP() << "onnxruntime-node is not installed in " << folder;
  }
  const auto compare = [&](Words words) {
    words.insert(words.end(),
                 {"--compare", "onnxruntime", "--onnxruntime", folder.string(), "--json"});
    const Finished run = bench(words);
    EXPECT_EQ(run.code, 0) << run.err;
    return nlohmann::json::parse(run.out)["compare"];
  };
  const auto language = compare({"lm.onnx", "--size", "steps=9", "--batch", "2"});
  EXPECT_LE(language["max_difference"], 1e-5);
  EXPECT_GT(language["max_output"], 0.1);
  EXPECT_EQ(language["selections"], 0);
  const auto detector = compare({"d.onnx", "--batch", "3"});
  EXPECT_LE(detector["max_difference"], 1e-5);
  EXPECT_GE(detector["selections"], 3);
  EXPECT_EQ(detector["other_selections"], 0);
}

}  // namespace
}  // namespace lastbit
