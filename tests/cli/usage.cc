#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/commands.h"
#include "tests/cli/program.h"

namespace lastbit {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

class EveryCommand : public CommandTest, public ::testing::WithParamInterface<CommandCase> {};

TEST_P(EveryCommand, ExplainsItsOptions) {
  const Finished run = succeed({GetParam().name, "--help"});
  EXPECT_THAT(run.err, IsEmpty());
  EXPECT_THAT(run.out, HasSubstr("Usage: lastbit " + GetParam().name));
  for (const std::string& option : GetParam().options) EXPECT_THAT(run.out, HasSubstr(option));
  EXPECT_EQ(run.out, succeed({GetParam().name, "-h"}).out);
}

TEST_P(EveryCommand, RefusesAnUnknownOption) {
  Words words = {GetParam().name};
  if (GetParam().options.at(0) == "model")
    words.insert(words.end(), {"m.onnx", "--data", "digits"});
  if (GetParam().name == "inspect" || GetParam().name == "bench") words.resize(2);
  if (GetParam().name == "compare") words.insert(words.end(), {"--methods", "lc"});
  words.emplace_back("--no-such-option");
  expect_refusal(lastbit(words),
                 {"[lastbit " + GetParam().name + "]", "--no-such-option", "--help"});
  EXPECT_THAT(names(), IsEmpty());
}

TEST_P(EveryCommand, RefusesAnUnknownKeyInAConfiguration) {
  write("c.toml", "no_such_key = 3\n");
  expect_refusal(lastbit({GetParam().name, "x.onnx", "--data", "digits", "--config", "c.toml"}),
                 {"no_such_key"});
}

TEST_P(EveryCommand, NamesAConfigurationThatIsMissing) {
  expect_refusal(lastbit({GetParam().name, "--config", "none.toml"}), {"none.toml"});
}

INSTANTIATE_TEST_SUITE_P(Cli, EveryCommand, ::testing::ValuesIn(built_commands()), test_name);

using Usage = CommandTest;

TEST_F(Usage, ListsTheCommands) {
  const Finished run = succeed({"--help"});
  for (const CommandCase& command : built_commands()) {
    EXPECT_THAT(run.out, HasSubstr("\n  " + command.name + " "));
  }
  EXPECT_EQ(succeed({"-h"}).out, run.out);
  EXPECT_EQ(succeed({"help"}).out, run.out);
}

TEST_F(Usage, WithoutACommandIsAnError) {
  expect_refusal(lastbit({}), {"no command", "train", "'lastbit --help'"});
}

TEST_F(Usage, NamesACommandItDoesNotKnow) {
  expect_refusal(lastbit({"tain"}), {"'tain' is not a command", "train", "compress", "zoo"});
}

TEST_F(Usage, ReportsTheVersion) {
  const Finished run = succeed({"--version"});
  EXPECT_THAT(run.out, MatchesRegex("lastbit [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  const Finished more = succeed({"version"});
  EXPECT_THAT(more.out, StartsWith(run.out));
  for (const char* key : {"compiler: ", "build: ", "training: ", "processors: "}) {
    EXPECT_THAT(more.out, HasSubstr(key));
  }
}

TEST_F(Usage, NamesTheArgumentThatIsMissing) {
  expect_refusal(lastbit({"eval"}), {"[lastbit eval]", "model"});
  expect_refusal(lastbit({"eval", "m.onnx"}), {"[lastbit eval]", "--data"});
  expect_refusal(lastbit({"inspect"}), {"[lastbit inspect]", "model"});
}

TEST_F(Usage, RefusesNumbersOutOfRange) {
  const Words eval = {"eval", "m.onnx", "--data", "digits"};
  const auto refuse = [&](Words words, const std::string& option, const std::string& value) {
    words.insert(words.end(), {option, value});
    expect_refusal(lastbit(words), {option, value});
  };
  refuse(eval, "--batch", "0");
  refuse(eval, "--batch", "-1");
  refuse(eval, "--batch", "1e3");
  refuse(eval, "--batch", "99999999999999999999");
  refuse(eval, "--threads", "0");
  refuse(eval, "--threads", "many");
  refuse(eval, "--part", "middle");
  refuse({"bench", "m.onnx"}, "--seconds", "0");
  refuse({"bench", "m.onnx"}, "--seconds", "nan");
  refuse({"bench", "m.onnx", "--compare", "onnxruntime"}, "--patience", "0");
  refuse({"bench", "m.onnx", "--compare", "onnxruntime"}, "--patience", "nan");
  refuse({"bench", "m.onnx"}, "--seconds", "1e9");
  refuse({"data", "fetch", "mnist"}, "--retries", "-1");
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(Usage, SavesAConfigurationThatItReads) {
  succeed({"zoo",
           "mlp",
           "--out",
           "a.onnx",
           "--hidden",
           "7,5",
           "--seed",
           "9",
           "--save-config",
           "c.toml"});
  succeed({"zoo", "--config", "c.toml", "--out", "b.onnx"});
  EXPECT_EQ(read("a.onnx"), read("b.onnx"));
  // The command line overrides the file.
  succeed({"zoo", "--config", "c.toml", "--out", "c.onnx", "--seed", "10"});
  EXPECT_NE(read("a.onnx"), read("c.onnx"));
}

TEST_F(Usage, SaysWhatIsMissingWhereOnlyLastbitWasCopied) {
  std::filesystem::copy_file(LASTBIT_PROGRAM, path("lastbit"));
  for (const char* command : {"train", "compress", "verify"}) {
    expect_refusal(lastbit({command, "x"}, {.program = path("lastbit")}),
                   {path("lastbit-train").string(), command, "LASTBIT_TRAIN=ON"});
  }
  EXPECT_EQ(succeed({"zoo"}, {.program = path("lastbit")}).out, succeed({"zoo"}).out);
}

}  // namespace
}  // namespace lastbit
