#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/graph/onnx.h"
#include "tests/cli/training_test.h"

// Options of `lastbit compress` that name nothing, or say what cannot be.

namespace lastbit {
namespace {

using ::testing::ElementsAre;

class Choices : public TrainingTest {
 protected:
  void SetUp() override { make_model("float.onnx"); }
  void refuse(const Words& more, const Words& expected) const {
    Words words = compress_words("float.onnx", "run");
    words.insert(words.end(), more.begin(), more.end());
    expect_refusal(lastbit(words), expected);
    EXPECT_THAT(names(), ElementsAre("float.onnx"));
  }
};

TEST_F(Choices, MethodsAreListedWhereOneIsUnknown) {
  refuse({"--method", "amdm"}, {"'amdm'", "admm", "dc"});
  refuse({"--method", ""}, {"method"});
}

TEST_F(Choices, CodebooksAreListedWhereOneIsUnknown) {
  refuse({"--codebook", "ternery"}, {"'ternery'", "binary", "ternary", "shift"});
  refuse({"--codebook", "shift:x"}, {"shift:x"});
  refuse({"--codebook", "shift:-1"}, {"shift:-1"});
  refuse({"--codebook", "shift:9999999999"}, {"shift:9999999999"});
  refuse({"--codebook", "ternary/row"}, {"row", "channel"});
  refuse({"--codebook", "fc1="}, {"'fc1='", "PATTERN=SET"});
  refuse({"--codebook", "=ternary"}, {"'=ternary'", "PATTERN=SET"});
}

TEST_F(Choices, LayersAreListedWhereAPatternMatchesNone) {
  refuse({"--codebook", "conv*=ternary"}, {"'conv*=ternary'", "fc1", "fc2"});
}

TEST_F(Choices, LeaveAtLeastOneLayerToCompress) {
  refuse({"--codebook", "float"}, {"every layer stays float"});
}

TEST_F(Choices, OfARoundHaveAUnit) {
  for (const char* text : {"1",
                           "0epoch",
                           "-1epoch",
                           "1.5epochs",
                           "",
                           "99999999999999999999steps",
                           "auto",
                           "auto:",
                           "auto:1",
                           "auto:2epochs,1epoch"}) {
    refuse({"--project-every=" + std::string(text)}, {"project-every"});
  }
}

TEST_F(Choices, OfSchedulesAreNumbers) {
  for (const char* text : {"", "0", "-1", "1..0"}) {
    refuse({"--rho=" + std::string(text)}, {"rho"});
  }
}

TEST_F(Choices, OfNumbersLieInTheirRange) {
  refuse({"--prediction", "-1"}, {"prediction", "-1"});
  refuse({"--prediction", "nan"}, {"prediction", "nan"});
  refuse({"--finish-epochs", "-1"}, {"--finish-epochs", "-1"});
  refuse({"--batch", "0"}, {"--batch", "0"});
  refuse({"--seed", "x"}, {"--seed", "x"});
  refuse({"--momentum", "2"}, {"momentum", "2"});
}

TEST_F(Choices, OfKeysInAConfigurationAreNamedWhereTheyAreUnknown) {
  write("c.toml", "epochs = 1\nepoch = 3\n");
  expect_refusal(lastbit({"compress", "float.onnx", "--config", "c.toml"}), {"epoch"});
  write("c.toml", "epochs = \"many\"\n");
  expect_refusal(lastbit({"compress", "float.onnx", "--config", "c.toml"}), {"epochs", "many"});
  write("c.toml", std::string("\x7f\x45\x4c\x46\0\1\2[[[\n===\n", 16));
  expect_refusal(lastbit({"compress", "float.onnx", "--config", "c.toml"}), {"c.toml"});
}

TEST_F(Choices, FitTheDataToTheNetwork) {
  write("set/x_train.npy", npy("|u1", "(1, 2, 2)", "abcd"));
  write("set/y_train.npy", npy("|u1", "(1,)", std::string(1, '\0')));
  write("set/x_test.npy", npy("|u1", "(1, 2, 2)", "abcd"));
  write("set/y_test.npy", npy("|u1", "(1,)", std::string(1, '\0')));
  for (const char* command : {"compress", "train", "verify", "eval", "run"}) {
    expect_refusal(lastbit({command, "float.onnx", "--data", "set"}),
                   {command == std::string("verify") ? "" : "[1, 28, 28]"});
  }
}

TEST_F(Choices, FitTheClassesToTheNetwork) {
  const std::string image(784, 'x');
  for (const char* part : {"train", "test"}) {
    write(std::string("set/x_") + part + ".npy", npy("|u1", "(1, 28, 28)", image));
    write(std::string("set/y_") + part + ".npy", npy("|u1", "(1,)", "\x0c"));
  }
  for (const char* command : {"compress", "train", "eval", "run"}) {
    expect_refusal(lastbit({command, "float.onnx", "--data", "set"}), {"13", "10"});
  }
}

}  // namespace
}  // namespace lastbit
