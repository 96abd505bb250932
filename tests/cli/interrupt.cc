#include <csignal>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/training_test.h"

// Long work: how it is stopped, and what it shows on the way.

namespace lastbit {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class LongWork : public TrainingTest {
 protected:
  // Training that would take hours.
  Program begin(Start how = {}) const {
    how.folder = folder_.path();
    return Program({"train",
                    "mlp",
                    "--hidden",
                    "16",
                    "--data",
                    kTrainingData,
                    "--epochs",
                    "1000000",
                    "--run",
                    "run"},
                   how);
  }
  void expect_stopped(const Finished& run) const {
    EXPECT_EQ(run.code, 1) << "signal " << run.signal;
    EXPECT_THAT(run.err, HasSubstr("\nlastbit: [train] stopped on request in epoch "));
    EXPECT_THAT(names(),
                ::testing::ElementsAre(
                    "run", "run/checkpoint.safetensors", "run/config.toml", "run/log.jsonl"));
    EXPECT_FALSE(log_of("run").empty());
  }
};

TEST_F(LongWork, StopsCleanlyAtControlC) {
  Program program = begin();
  ASSERT_TRUE(program.wait_for("train epoch 1/"));
  program.send(SIGINT);
  expect_stopped(program.finish());
}

TEST_F(LongWork, StopsCleanlyWhenAskedToEnd) {
  Program program = begin();
  ASSERT_TRUE(program.wait_for("train epoch 1/"));
  program.send(SIGTERM);
  expect_stopped(program.finish());
}

TEST_F(LongWork, EndsAtOnceAtTheSecondControlC) {
  // One step of all images takes so long that the first signal stays unanswered.
  Program program({"train",
                   "lenet5",
                   "--data",
                   "digits:train=60000,test=10",
                   "--batch",
                   "60000",
                   "--run",
                   "run"},
                  {.folder = folder_.path()});
  ASSERT_TRUE(program.wait_for("training lenet5"));
  program.send(SIGINT);
  while (program.catches(SIGINT)) std::this_thread::yield();
  program.send(SIGINT);
  EXPECT_EQ(program.finish().signal, SIGINT);
  EXPECT_THAT(names(), Not(Contains(HasSubstr(".onnx"))));
}

TEST_F(LongWork, DrawsABarOnATerminal) {
  Program program = begin({.terminal = true});
  ASSERT_TRUE(program.wait_for("train epoch 2/"));
  ASSERT_TRUE(program.wait_for("left"));
  program.send(SIGINT);
  const Finished run = program.finish();
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr("\r\033[K["));
  for (const char* part : {"% ", " images/s", "loss ", "error ", " left"}) {
    EXPECT_THAT(run.err, HasSubstr(part));
  }
}

TEST_F(LongWork, PrintsPlainLinesElsewhere) {
  const Finished run = succeed(train_words("run"));
  EXPECT_THAT(run.err, Not(HasSubstr("\r")));
  EXPECT_THAT(run.err, Not(HasSubstr("\033")));
  EXPECT_THAT(run.err, Not(HasSubstr(" left")));
}

TEST_F(LongWork, ShowsAResidualAndNoBarAtItsEnd) {
  make_model("float.onnx");
  const Finished run = succeed(compress_words("float.onnx", "run"), {.terminal = true});
  EXPECT_THAT(run.err, HasSubstr("residual "));
  // What stays on the screen after the last drawing is a whole line.
  EXPECT_THAT(run.err, ::testing::EndsWith("\n"));
}

}  // namespace
}  // namespace lastbit
