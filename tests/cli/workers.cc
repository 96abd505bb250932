#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <netinet/in.h>
#include <sstream>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/graph/onnx.h"
#include "tests/cli/training_test.h"

// Several processes that train one network.

namespace lastbit {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class WorkersTest : public TrainingTest {
 protected:
  // Two workers' run of some seconds, that is stopped on its way.
  static Words long_run(const std::string& run) {
    return training({"train", "mlp", "--hidden", "16", "--workers", "2"},
                    {"--epochs", "40", "--batch", "5", "--run", run});
  }

  // The process of this test that is worker `rank`; waits until it is there.
  pid_t process_of(int rank) const {
    const std::string setting = "RANK=" + std::to_string(rank);
    for (;;) {
      for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const std::string name = entry.path().filename().string();
        std::error_code error;
        if (std::filesystem::read_symlink(entry.path() / "cwd", error) != folder_.path()) continue;
        std::ifstream file(entry.path() / "environ");
        for (std::string text; std::getline(file, text, '\0');) {
          if (text == setting) return std::atoi(name.c_str());
        }
      }
      std::this_thread::yield();
    }
  }
  Finished after(int signal, int rank, const Words& words) const {
    Program program(words, {.folder = folder_.path()});
    EXPECT_TRUE(program.wait_for("train epoch 2/"));
    ::kill(process_of(rank), signal);
    return program.finish();
  }

  static std::size_t sentences_in(const std::string& text) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find("lastbit: ", at)) != std::string::npos; ++at) ++count;
    return count;
  }
  // The greatest difference of two models' numbers.
  double difference(const std::string& a, const std::string& b) const {
    const Graph first = read_onnx(path(a));
    const Graph second = read_onnx(path(b));
    double most = 0.0;
    EXPECT_EQ(first.initializers.size(), second.initializers.size());
    for (const auto& [name, initializer] : first.initializers) {
      const Initializer* const other = second.find_initializer(name);
      if (other == nullptr) return 1e9;
      const auto* plain = std::get_if<Tensor>(&initializer);
      if (plain != nullptr && plain->type() != DType::kFloat) continue;
      const Tensor left = decode(initializer);
      const Tensor right = decode(*other);
      for (std::size_t i = 0; i < left.as_floats().size(); ++i) {
        most = std::max(most, std::abs(double{left.as_floats()[i]} - right.as_floats()[i]));
      }
    }
    return most;
  }
};

// Tolerances as in tests/train/data_parallel.cc, with 40 steps.
TEST_F(WorkersTest, TrainWhatOneTrainsWithTheirBatchesTogether) {
  const Words words = training({"train", "mlp", "--hidden", "16", "--epochs", "2"}, {});
  succeed(with(words, {"--batch", "50", "--run", "one"}));
  const Finished two =
      succeed(with(words, {"--batch", "25", "--workers", "2", "--run", "two", "--json"}));
  EXPECT_LT(difference("one/reference.onnx", "two/reference.onnx"), 3e-5);
  EXPECT_THAT(two.err, HasSubstr(", 2 workers\n"));
  EXPECT_EQ(nlohmann::json::parse(two.out), nlohmann::json::parse(read("two/result.json")));
  EXPECT_EQ(log_of("two").size(), 2U);
  EXPECT_THAT(names(), Not(Contains(HasSubstr("checkpoint"))));
}

TEST_F(WorkersTest, CompressToWhatOneCompressesTo) {
  make_model("float.onnx");
  const Words words = training({"compress", "float.onnx", "--epochs", "2"}, {});
  succeed(with(words, {"--batch", "48", "--run", "one"}));
  succeed(with(words, {"--batch", "12", "--workers", "4", "--run", "four"}));
  EXPECT_LT(difference("one/trained.onnx", "four/trained.onnx"), 3e-5);
  EXPECT_LT(difference("one/compressed.onnx", "four/compressed.onnx"), 3e-5);
  EXPECT_EQ(log_of("one").size(), log_of("four").size());
  succeed({"verify", "four/compressed.onnx", "--data", kTrainingData});
}

TEST_F(WorkersTest, SaveTheRunWhereOneIsKilled) {
  succeed(long_run("whole"));
  const Finished run = after(SIGKILL, 1, long_run("killed"));
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr("saved; --resume goes on with killed\n"));
  EXPECT_THAT(run.err, HasSubstr("lastbit: [workers] lost worker 1: its connection is closed"));
  EXPECT_EQ(sentences_in(run.err), 1U) << run.err;
  const Finished rest = succeed(with(long_run("killed"), {"--resume"}));
  EXPECT_THAT(rest.err, HasSubstr("going on with killed: phase train\n"));
  EXPECT_EQ(read("whole/reference.onnx"), read("killed/reference.onnx"));
}

TEST_F(WorkersTest, GoOnFromTheLastCheckpointWhereTheFirstIsKilled) {
  const Words words = with(long_run("run"), {"--checkpoint", "1e-9", "--resume"});
  const Finished run = after(SIGKILL, 0, words);
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr("lastbit: [workers] worker 0 was ended by signal 9\n"));
  EXPECT_EQ(sentences_in(run.err), 1U) << run.err;
  EXPECT_THAT(succeed(with(long_run("run"), {"--resume"})).err,
              HasSubstr("going on with run: phase train\n"));
}

TEST_F(WorkersTest, EndWithinTheTimeoutWhereOneHangs) {
  const Finished run = after(SIGSTOP, 1, with(long_run("run"), {"--timeout", "0.3"}));
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err,
              HasSubstr("lastbit: [workers] lost worker 1: no answer within 0.3 s (--timeout)\n"));
  EXPECT_THAT(names(), Contains("run/checkpoint.safetensors"));
}

TEST_F(WorkersTest, StopTogetherAtControlCAndGoOn) {
  Program program(long_run("stopped"), {.folder = folder_.path()});
  ASSERT_TRUE(program.wait_for("train epoch 2/"));
  program.send(SIGINT);
  const Finished run = program.finish();
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr("saved; --resume goes on with stopped\n"));
  EXPECT_THAT(run.err, HasSubstr("lastbit: [train] stopped on request in epoch "));
  EXPECT_EQ(sentences_in(run.err), 1U) << run.err;
  EXPECT_THAT(succeed(with(long_run("stopped"), {"--resume"})).err,
              HasSubstr("going on with stopped: phase train\n"));
  EXPECT_THAT(succeed(with(long_run("stopped"), {"--resume"})).out,
              HasSubstr("stopped is finished"));
}

TEST_F(WorkersTest, RefuseBadInputInOneSentence) {
  expect_refusal(lastbit({"train", "mlp", "--data", kTrainingData, "--workers", "-1"}),
                 {"--workers"});
  const Finished run =
      lastbit({"train", "no.onnx", "--data", kTrainingData, "--workers", "2", "--run", "run"});
  expect_refusal(run, {"no.onnx"});
}

TEST_F(WorkersTest, RefuseAnEnvironmentThatContradicts) {
  const Words words = train_words("run");
  const auto in = [&](const std::map<std::string, std::string>& environment, const Words& more) {
    return lastbit(with(words, more), {.environment = environment});
  };
  expect_refusal(in({{"RANK", "1"}}, {}), {"[workers]", "RANK without WORLD_SIZE"});
  expect_refusal(in({{"RANK", "2"}, {"WORLD_SIZE", "2"}}, {}), {"RANK='2'", "from 0 to 1"});
  expect_refusal(in({{"RANK", "1"}, {"WORLD_SIZE", "2"}}, {}), {"RANK without MASTER_ADDR"});
  expect_refusal(in({{"RANK", "1"},
                     {"WORLD_SIZE", "2"},
                     {"MASTER_ADDR", "127.0.0.1"},
                     {"MASTER_PORT", "29500"}},
                    {"--workers", "3"}),
                 {"--workers says 3 and the environment 2"});
}

std::string free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ::close(socket);
  return std::to_string(ntohs(address.sin_port));
}

TEST_F(WorkersTest, StartedByOthersReportOnce) {
  const std::string port = free_port();
  const auto start = [&](const std::string& rank) {
    return Start{.folder = folder_.path(),
                 .environment = {{"OMPI_COMM_WORLD_RANK", rank},
                                 {"OMPI_COMM_WORLD_SIZE", "2"},
                                 {"OMPI_COMM_WORLD_LOCAL_RANK", rank},
                                 {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                                 {"MASTER_PORT", port}}};
  };
  const Words words = train_words("run");
  Program second(words, start("1"));
  Program first(words, start("0"));
  const Finished silent = second.finish();
  const Finished speaking = first.finish();
  EXPECT_EQ(silent.code, 0) << silent.err;
  EXPECT_EQ(speaking.code, 0) << speaking.err;
  EXPECT_EQ(silent.out + silent.err, "");
  EXPECT_THAT(speaking.err, HasSubstr(", 2 workers\n"));
  EXPECT_THAT(speaking.out, HasSubstr("run/reference.onnx: test error"));

  Words others = words;
  others.back() = "other";
  Program other(others, start("1"));
  Program again(with(words, {"--force"}), start("0"));
  for (const Finished& run : {other.finish(), again.finish()}) {
    expect_refusal(run, {"worker 1 was started with other options than worker 0"});
  }
}

}  // namespace
}  // namespace lastbit
