#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/graph/onnx.h"
#include "tests/cli/program.h"
#include "tests/state/pickles.h"

namespace lastbit {
namespace {

using pickles::call;
using pickles::global;
using pickles::ordered;
using pickles::storage;
using pickles::stored;
using pickles::tensor;
using pickles::text;
using pickles::zipped;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Import : public CommandTest {
 protected:
  // A state dict of a linear classifier of two inputs and three classes.
  static std::string linear(const std::string& name) {
    const std::string weight = tensor(storage("FloatStorage", "0", 6), {3, 2}, {2, 1});
    const std::string bias = tensor(storage("FloatStorage", "1", 3), {3}, {1});
    return zipped(
        ordered({{"module." + name + ".weight", weight}, {"module." + name + ".bias", bias}}),
        {stored("0", {1, 2, 3, 4, 5, 6}), stored("1", {7, 8, 9})});
  }
  std::vector<float> constant(const std::string& file, const std::string& name) const {
    const Graph graph = read_onnx(path(file));
    const Tensor tensor = decode(graph.initializers.at(name));
    return {tensor.as_floats().begin(), tensor.as_floats().end()};
  }
};

TEST_F(Import, PrintsWhatWentWhere) {
  write("a.pth", linear("fc1"));
  const Finished run = succeed({"import", "mlp", "a.pth", "--input", "2", "--out", "a.onnx"});
  EXPECT_THAT(run.out, HasSubstr("constant     shape      tensor\n"));
  EXPECT_THAT(run.out, HasSubstr("fc1.weight  [3, 2]  fc1.weight\n"));
  EXPECT_THAT(run.out, HasSubstr("fc1.bias       [3]    fc1.bias\n"));
  EXPECT_THAT(run.out, HasSubstr("input: [2], as it is\nwrote a.onnx ("));
  EXPECT_THAT(run.out, HasSubstr(" bytes, 9 parameters)\n"));
  EXPECT_THAT(constant("a.onnx", "fc1.weight"), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(constant("a.onnx", "fc1.bias"), ElementsAre(7, 8, 9));
  EXPECT_EQ(to_string(read_onnx(path("a.onnx")).outputs.at(0).dims), "[batch, 3]");
}

TEST_F(Import, TakesNamesFromMapsOrTheOrder) {
  write("a.pth", linear("head"));
  const Words words = {"import", "mlp", "a.pth", "--input", "2", "--out", "a.onnx"};
  expect_refusal(lastbit(words),
                 {"[import] the state does not fit mlp",
                  "head.weight [3, 2], head.bias [3]",
                  "lacks: fc1.weight, fc1.bias"});
  for (const Words& more : {Words{"--map", "head.*=fc1.*"}, Words{"--by-order"}}) {
    Words all = words;
    all.insert(all.end(), more.begin(), more.end());
    succeed(all);
    EXPECT_THAT(constant("a.onnx", "fc1.bias"), ElementsAre(7, 8, 9));
  }
}

TEST_F(Import, GivesItsOwnFilesBack) {
  succeed({"zoo", "lenet5", "--out", "a.onnx", "--seed", "4"});
  succeed({"import", "lenet5", "a.onnx", "--out", "b.onnx"});
  EXPECT_EQ(read("a.onnx"), read("b.onnx"));
  succeed(
      {"import", "lenet5", "a.onnx", "--mean", "0.25", "--deviation", "0.5", "--out", "c.onnx"});
  EXPECT_THAT(constant("c.onnx", "input.mean"), ElementsAre(0.25F));
  EXPECT_THAT(constant("c.onnx", "input.deviation"), ElementsAre(0.5F));
  succeed({"import", "lenet5", "c.onnx", "--out", "d.onnx"});
  EXPECT_EQ(read("c.onnx"), read("d.onnx"));
  succeed({"import", "lenet5", "c.onnx", "--normalize", "none", "--out", "e.onnx"});
  EXPECT_EQ(read_onnx(path("e.onnx")).find_initializer("input.mean"), nullptr);
}

TEST_F(Import, ChoosesTheShortcutsThatTheStateHas) {
  for (const std::string shortcut : {"convolution", "pad"}) {
    succeed({"zoo",
             "resnet20",
             "--input",
             "3,32,32",
             "--classes",
             "7",
             "--shortcut",
             shortcut,
             "--out",
             "a.onnx"});
    for (const Words& more : {Words{}, Words{"--by-order"}}) {
      Words words = {"import", "resnet20", "a.onnx", "--out", "b.onnx"};
      words.insert(words.end(), more.begin(), more.end());
      EXPECT_THAT(succeed(words).out, HasSubstr("shortcut: " + shortcut));
      EXPECT_EQ(read("a.onnx"), read("b.onnx"));
    }
  }
}

TEST_F(Import, RefusesWhatItCannotTake) {
  write("a.pth", linear("fc1"));
  write("a.safetensors", "none");
  write("bad.pth", zipped(call(global("os", "system"), {text("touch gotcha")}), {}));
  const auto refuse = [&](const Words& words, const Words& expected) {
    Words all = {"import"};
    all.insert(all.end(), words.begin(), words.end());
    all.insert(all.end(), {"--out", "m.onnx"});
    expect_refusal(lastbit(all), expected);
  };
  refuse({"mlp", "bad.pth"}, {"[pytorch] bad.pth", "names the class os.system"});
  refuse({"lenet6", "a.pth"}, {"'lenet6'", "lenet5"});
  refuse({"mlp", "b.pth"}, {"b.pth"});
  refuse({"mlp"}, {"state"});
  refuse({"mlp", "a.pth", "--input", "4"}, {"fc1.weight is [3, 4]", "fc1.weight [3, 2]"});
  refuse({"mlp", "a.pth", "--input", "2", "--normalize", "svhn"}, {"'svhn'", "imagenet, cifar10"});
  refuse({"mlp", "a.pth", "--input", "2", "--normalize", "none", "--mean", "1"}, {"--normalize"});
  refuse({"mlp", "a.pth", "--input", "2", "--mean", "1"}, {"the mean has 1 numbers, expected 2"});
  refuse({"mlp", "a.pth", "--map", "a"}, {"'a'", "FROM=TO"});
  refuse({"mlp", "a.pth", "--map", "a=b", "--by-order"}, {"--by-order", "--map"});
  refuse({"mlp", "a.safetensors", "--by-order"}, {"safetensors", "no order"});
  refuse({"mlp", "a.pth", "--center", "none"}, {"--center"});
  EXPECT_THAT(names(), ElementsAre("a.pth", "a.safetensors", "bad.pth"));
}

}  // namespace
}  // namespace lastbit
