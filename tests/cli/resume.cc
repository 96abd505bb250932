#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "tests/cli/training_test.h"

// Runs that are stopped, killed, and gone on with.

namespace lastbit {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class Resumed : public TrainingTest {
 protected:
  // A checkpoint after each step.
  static Words saved(const Words& words) {
    return with(words, {"--checkpoint", "1e-9", "--resume"});
  }

  // The log, but for what a clock says.
  std::string log_without_seconds(const std::string& run) const {
    std::string text;
    for (nlohmann::json entry : log_of(run)) {
      for (const char* timed : {"seconds", "waited"}) entry.erase(timed);
      text += entry.dump() + "\n";
    }
    return text;
  }

  // Starts the run, waits until it is at work, and kills it after `wait`.
  void start_and_kill(const Words& words,
                      const std::string& sign,
                      std::chrono::microseconds wait) const {
    Program program(words, {.folder = folder_.path()});
    program.wait_for(sign);
    std::this_thread::sleep_for(wait);
    program.send(SIGKILL);
    program.finish();
  }

  void expect_same_run(const std::string& a, const std::string& b, const std::string& model) const {
    EXPECT_EQ(read(a + "/" + model), read(b + "/" + model));
    EXPECT_EQ(log_without_seconds(a), log_without_seconds(b));
    EXPECT_THAT(names(), Not(Contains(HasSubstr("checkpoint"))));
  }
};

// Most of each step goes into writing its checkpoint, so that many of the kills fall into a write.
TEST_F(Resumed, AfterFiftyKillsIsTheRunThatWasNeverStopped) {
  make_model("float.onnx");
  const auto words = [&](const std::string& run) {
    return training({"compress", "float.onnx"},
                    {"--epochs",
                     "20",
                     "--batch",
                     "10",
                     "--finish-epochs",
                     "2",
                     "--project-every",
                     "17steps",
                     "--run",
                     run});
  };
  succeed(words("whole"));
  Random random(1);
  for (int kill = 0; kill < 50; ++kill) {
    start_and_kill(saved(words("killed")),
                   "reference: test",
                   std::chrono::microseconds(static_cast<int>(random.uniform(0.0, 60'000.0))));
    ASSERT_FALSE(std::filesystem::exists(path("killed/result.json"))) << "ended after " << kill;
  }
  succeed(with(words("killed"), {"--resume"}));
  expect_same_run("whole", "killed", "compressed.onnx");
  EXPECT_EQ(read("whole/trained.onnx"), read("killed/trained.onnx"));
}

TEST_F(Resumed, TrainingGoesOnAfterControlC) {
  const auto words = [&](const std::string& run) {
    return training({"train", "mlp", "--hidden", "16"},
                    {"--epochs", "40", "--batch", "10", "--run", run});
  };
  succeed(words("whole"));
  {
    Program program(words("stopped"), {.folder = folder_.path()});
    ASSERT_TRUE(program.wait_for("train epoch 2/"));
    program.send(SIGINT);
    const Finished run = program.finish();
    ASSERT_EQ(run.code, 1);
    EXPECT_THAT(run.err, HasSubstr("saved; --resume goes on with stopped\n"));
  }
  const Finished run = succeed(with(words("stopped"), {"--resume"}));
  EXPECT_THAT(run.err, HasSubstr("going on with stopped: phase train\n"));
  expect_same_run("whole", "stopped", "reference.onnx");
}

TEST_F(Resumed, StartsWhatIsNotThereAndLeavesWhatIsFinished) {
  const Words words = with(train_words("run"), {"--resume"});
  succeed(words);
  const std::string model = read("run/reference.onnx");
  write("run/reference.onnx", "mine");
  const Finished again = succeed(words);
  EXPECT_THAT(again.out, HasSubstr("run is finished; run/result.json holds its result"));
  EXPECT_EQ(read("run/reference.onnx"), "mine");
  const Finished json = succeed(with(words, {"--json"}));
  EXPECT_EQ(nlohmann::json::parse(json.out), nlohmann::json::parse(read("run/result.json")));
  succeed(with(train_words("run"), {"--force"}));
  EXPECT_EQ(read("run/reference.onnx"), model);
}

TEST_F(Resumed, ComparisonsGoOnWithTheRunTheyHadBegun) {
  make_model("float.onnx");
  const auto words = [&](const std::string& run) {
    return training({"compare", "float.onnx"},
                    {"--methods", "admm", "--epochs", "40", "--batch", "10", "--run", run});
  };
  succeed(words("whole"));
  {
    Program program(words("stopped"), {.folder = folder_.path()});
    ASSERT_TRUE(program.wait_for("compress epoch 2/"));
    program.send(SIGINT);
    ASSERT_EQ(program.finish().code, 1);
  }
  EXPECT_THAT(succeed(words("stopped")).err,
              HasSubstr("going on with stopped/admm-ternary-0: phase compress\n"));
  expect_same_run("whole/admm-ternary-0", "stopped/admm-ternary-0", "compressed.onnx");
}

TEST_F(Resumed, RefusesOtherOptionsAndDamage) {
  start_and_kill(saved(train_words("run")), "training mlp", std::chrono::milliseconds(30));
  std::string checkpoint;
  for (int i = 0; i < 50 && checkpoint.empty(); ++i) {
    start_and_kill(saved(train_words("run")), "training mlp", std::chrono::milliseconds(10));
    if (std::filesystem::exists(path("run/checkpoint.safetensors"))) {
      checkpoint = read("run/checkpoint.safetensors");
    }
  }
  ASSERT_FALSE(checkpoint.empty());
  const auto refused = [&](const Words& words) {
    const Finished run = lastbit(words);
    EXPECT_EQ(run.code, 2);
    return run.err;
  };
  EXPECT_THAT(refused(with(train_words("run"), {"--resume", "--seed", "3"})),
              HasSubstr("[run] run holds a run with seed=0, to go on with seed=3 is another run: "
                        "expected the same options"));
  EXPECT_THAT(refused(with(train_words("run"), {"--resume", "--precision", "bf16"})),
              HasSubstr("precision"));
  write("run/checkpoint.safetensors", checkpoint.substr(0, checkpoint.size() / 2));
  EXPECT_THAT(refused(with(train_words("run"), {"--resume"})), HasSubstr("checkpoint.safetensors"));
  write("run/checkpoint.safetensors", checkpoint);
  succeed(with(train_words("run"), {"--resume"}));
  EXPECT_THAT(refused(with(train_words("run"), {"--checkpoint", "-1"})), HasSubstr("--checkpoint"));
}

}  // namespace
}  // namespace lastbit
