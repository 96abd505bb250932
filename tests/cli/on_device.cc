#include <cstdlib>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/training_test.h"

// Commands with --device cuda, on a pretended device (tests/pretend/device.h) or on the machine's.

namespace lastbit {
namespace {

using ::testing::HasSubstr;

class OnDevice : public TrainingTest {
 protected:
  static std::map<std::string, std::string> machine(int devices) {
    return {{"LD_PRELOAD", LASTBIT_PRETENDED_CUDA},
            {"LASTBIT_PRETENDED_DEVICES", std::to_string(devices)},
            {"OMP_NUM_THREADS", "1"}};
  }
  Finished there(const Words& words, int devices = 1) const {
    return succeed(with(words, {"--device", "cuda"}), {.environment = machine(devices)});
  }

  // What the epochs of two runs came to.
  void expect_same_epochs(const std::string& a, const std::string& b) const {
    const auto first = log_of(a);
    const auto second = log_of(b);
    ASSERT_EQ(first.size(), second.size());
    ASSERT_FALSE(first.empty());
    int compared = 0;
    for (std::size_t i = 0; i < first.size(); ++i) {
      for (const char* figure : {"loss",
                                 "test_loss",
                                 "error",
                                 "test_error",
                                 "loss_float",
                                 "loss_low_bit",
                                 "primal_residual"}) {
        if (!first[i].contains(figure)) continue;
        ++compared;
        EXPECT_NEAR(first[i][figure].get<double>(), second[i].at(figure).get<double>(), 1e-4)
            << figure << " of line " << i;
      }
    }
    EXPECT_GE(compared, 2);
  }
};

TEST_F(OnDevice, TrainsAsOnTheHost) {
  succeed(train_words("here"));
  there(train_words("there"));
  expect_same_epochs("here", "there");
}

TEST_F(OnDevice, CompressesAsOnTheHost) {
  make_model("float.onnx");
  for (const std::string method : {"admm", "lc", "md-tanh-s", "picm"}) {
    SCOPED_TRACE(method);
    const auto words = [&](const std::string& run) {
      return with(compress_words("float.onnx", run + method),
                  {"--method", method, "--distill", "0.5", "--project-every", "5steps"});
    };
    succeed(words("here-"));
    there(words("there-"));
    expect_same_epochs("here-" + method, "there-" + method);
    const std::string file = "there-" + method + "/compressed.onnx";
    EXPECT_EQ(std::filesystem::file_size(path(file)),
              std::filesystem::file_size(path("here-" + method + "/compressed.onnx")));
    succeed({"verify", file, "--data", kTrainingData});
  }
}

TEST_F(OnDevice, GoesOnWhereItWasStopped) {
  make_model("float.onnx");
  const auto words = [&](const std::string& run) {
    return with(training({"compress", "float.onnx"},
                         {"--epochs", "4", "--batch", "10", "--finish-epochs", "1"}),
                {"--project-every", "17steps", "--run", run});
  };
  there(words("whole"));
  {
    Program program(with(words("stopped"), {"--device", "cuda", "--checkpoint", "1e-9"}),
                    {.folder = folder_.path(), .environment = machine(1)});
    ASSERT_TRUE(program.wait_for("compress epoch 2/"));
    program.send(SIGTERM);
    EXPECT_NE(program.finish().code, 0);
  }
  there(with(words("stopped"), {"--resume"}));
  EXPECT_EQ(read("stopped/compressed.onnx"), read("whole/compressed.onnx"));
  EXPECT_NE(read("whole/compressed.onnx"), "");
}

// With a device each, and with one for both.
TEST_F(OnDevice, WorkersTrainTogether) {
  succeed(train_words("here"));
  for (const int devices : {1, 2}) {
    SCOPED_TRACE(devices);
    const std::string run = "workers-" + std::to_string(devices);
    Words words = train_words(run);
    // Half the batch for each.
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
      if (words[i] == "--batch") words[i + 1] = "13";
    }
    Words alone = words;
    for (std::size_t i = 0; i + 1 < alone.size(); ++i) {
      if (alone[i] == "--batch") alone[i + 1] = "26";
      if (alone[i] == "--run") alone[i + 1] = run + "-alone";
    }
    succeed(alone);
    there(with(words, {"--workers", "2"}), devices);
    expect_same_epochs(run, run + "-alone");
  }
}

TEST_F(OnDevice, HasADeviceForEachWorker) {
  const Finished run = lastbit(with(train_words("run"), {"--device", "cuda", "--workers", "3"}),
                               {.environment = machine(2)});
  expect_refusal(run, {"3 workers on a machine with 2 CUDA devices, expected one for each"});
}

TEST_F(OnDevice, TrainsALanguageModelAsOnTheHost) {
  for (const std::string net : {"lstm-lm", "gru-lm"}) {
    SCOPED_TRACE(net);
    const auto words = [&](const std::string& run) {
      return Words{"train",
                   net,
                   "--units",
                   "12",
                   "--data",
                   "words:generated,train=300,valid=20,test=40",
                   "--batch",
                   "4",
                   "--steps",
                   "5",
                   "--epochs",
                   "1",
                   "--clip-gradient",
                   "0.25",
                   "--threads",
                   "1",
                   "--run",
                   run};
    };
    succeed(words("here-" + net));
    there(words("there-" + net));
    expect_same_epochs("here-" + net, "there-" + net);
  }
}

TEST_F(OnDevice, IsRefusedWhereThereIsNone) {
  const Finished run =
      lastbit(with(train_words("run"), {"--device", "cuda"}), {.environment = machine(0)});
  expect_refusal(run, {"[device]", "finds no CUDA device"});
}

}  // namespace
}  // namespace lastbit
