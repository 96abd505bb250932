#include <filesystem>
#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/graph/onnx.h"
#include "tests/cli/commands.h"
#include "tests/cli/program.h"

// What every command that reads a model does with files that are none.

namespace lastbit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string random_bytes(std::size_t count) {
  Random random(7);
  std::string bytes;
  while (bytes.size() < count) bytes.push_back(static_cast<char>(random.below(256)));
  return bytes;
}

class EveryReader : public CommandTest, public ::testing::WithParamInterface<CommandCase> {
 protected:
  // The command on `model`, with all else that it needs.
  Finished read_model(const std::string& model) const {
    Words words = {GetParam().name, model};
    const auto& options = GetParam().options;
    if (std::find(options.begin(), options.end(), "--data") != options.end()) {
      words.insert(words.end(), {"--data", "digits:train=20,test=20"});
    }
    if (GetParam().name == "compare") words.insert(words.end(), {"--methods", "dc"});
    return lastbit(words);
  }
  void expect_refused(const std::string& bytes, const Words& words) {
    write("model.onnx", bytes);
    expect_refusal(read_model("model.onnx"), words);
    // Nothing is written, not even the folder of a run.
    EXPECT_THAT(names(), ElementsAre("model.onnx"));
  }
  std::string changed(const std::function<void(Graph&)>& change) {
    succeed({"zoo", "mlp", "--hidden", "4", "--out", "model.onnx"});
    Graph graph = read_onnx(path("model.onnx"));
    change(graph);
    return serialize_onnx(graph);
  }
};

TEST_P(EveryReader, NamesAFileThatIsMissing) {
  expect_refusal(read_model("none.onnx"), {"none.onnx", "No such file"});
  EXPECT_THAT(names(), ::testing::IsEmpty());
}

TEST_P(EveryReader, RefusesAFolder) {
  std::filesystem::create_directory(path("model.onnx"));
  expect_refusal(read_model("model.onnx"), {"model.onnx", "directory"});
}

TEST_P(EveryReader, RefusesAnEmptyFile) { expect_refused("", {"model.onnx"}); }

TEST_P(EveryReader, RefusesRandomBytes) { expect_refused(random_bytes(100'000), {"model.onnx"}); }

TEST_P(EveryReader, RefusesATruncatedFile) {
  const std::string whole = changed([](Graph&) {});
  for (const double share : {0.01, 0.999}) {
    const auto kept = static_cast<std::size_t>(share * static_cast<double>(whole.size()));
    expect_refused(whole.substr(0, kept), {"model.onnx"});
  }
}

TEST_P(EveryReader, RefusesBytesBehindTheModel) {
  expect_refused(changed([](Graph&) {}) + random_bytes(64), {"model.onnx"});
}

TEST_P(EveryReader, RefusesAHugeFileOfZeros) {
  write("model.onnx", "");
  std::filesystem::resize_file(path("model.onnx"), 20'000'000'000);
  expect_refusal(read_model("model.onnx"), {"model.onnx"});
}

TEST_P(EveryReader, RefusesAFileThatPromisesMoreThanItHolds) {
  // Field 7, the graph, of 2^34 bytes.
  expect_refused("\x08\x08\x3a\x80\x80\x80\x80\x40", {"model.onnx"});
}

INSTANTIATE_TEST_SUITE_P(Cli,
                         EveryReader,
                         ::testing::ValuesIn([] {
                           std::vector<CommandCase> readers;
                           for (const CommandCase& command : built_commands()) {
                             if (command.options.at(0) == "model") readers.push_back(command);
                           }
                           return readers;
                         }()),
                         test_name);

// Those that run the network: all but inspect, and verify, which asks for a digest first.
class EveryRunner : public EveryReader {};

TEST_P(EveryRunner, NamesTheNodeOfAnOperatorItDoesNotKnow) {
  expect_refused(
      changed([](Graph& graph) {
        graph.nodes.push_back({"strange", "Foo", "", {graph.outputs[0].name}, {"more"}, {}});
        graph.outputs[0].name = "more";
      }),
      {"'strange' (Foo)"});
}

TEST_P(EveryRunner, NamesTheNodeWhoseShapesDoNotFit) {
  expect_refused(changed([](Graph& graph) {
                   const std::string weight = lowbit_candidates(graph).at(0).initializer;
                   graph.initializers.insert_or_assign(
                       weight, Tensor::floats({4, 783}, std::vector<float>(4UL * 783)));
                 }),
                 {"fc1", "783", "784"});
}

INSTANTIATE_TEST_SUITE_P(Cli,
                         EveryRunner,
                         ::testing::ValuesIn([] {
                           std::vector<CommandCase> runners;
                           for (const CommandCase& command : built_commands()) {
                             if (command.options.at(0) == "model" && command.name != "inspect" &&
                                 command.name != "verify") {
                               runners.push_back(command);
                             }
                           }
                           return runners;
                         }()),
                         test_name);

}  // namespace
}  // namespace lastbit
