#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/method/registry.h"
#include "lastbit/train/sample_batches.h"
#include "lastbit/train/startup.h"
#include "lastbit/train/trainer.h"
#include "rings.h"
#include "support.h"

// Several workers, here threads, whose gradients of several parts are summed beside backward.

namespace lastbit {
namespace {

using ::testing::HasSubstr;
using State = std::map<std::string, torch::Tensor>;

// A communicator under a test: `before_start(i)` is called before the sum number i is started.
class Watched final : public Communicator {
 public:
  explicit Watched(Ring ring) : workers_(make_communicator(std::move(ring), torch::kCPU)) {}

  std::function<void(int)> before_start = [](int) {};
  bool late = false;  // sums are started when they are to be finished

  int rank() const noexcept override { return workers_->rank(); }
  int size() const noexcept override { return workers_->size(); }
  void sum(torch::Tensor tensor) override {
    start_late();
    workers_->sum(tensor);
  }
  void broadcast(torch::Tensor tensor) override { workers_->broadcast(tensor); }
  void start_sum(torch::Tensor tensor) override {
    before_start(count_++);
    if (late) {
      waiting_.push_back(tensor);
    } else {
      workers_->start_sum(tensor);
    }
  }
  void finish_sums() override { workers_->finish_sums(); }

 private:
  void start_late() {
    for (const torch::Tensor& tensor : waiting_) workers_->start_sum(tensor);
    waiting_.clear();
  }

  std::unique_ptr<Communicator> workers_;
  int count_ = 0;
  std::vector<torch::Tensor> waiting_;
};

// The gradient has five parts; the last batch of an epoch, of one sample, leaves some without any.
constexpr int kParts = 5;
struct Worker {
  Worker(const std::string& method_name, Communicator* workers)
      : graph(make_network(
            "mlp",
            {.input = {16}, .classes = 3, .hidden = {260, 260, 260, 260}, .center = "none"})),
        network(graph,
                method_name.empty() ? std::vector<Constraint>{} : constraints(graph, "ternary")),
        data(std::make_shared<RandomSamples>(25, Shape{16}, 3), {16}, torch::kCPU),
        method(method_name.empty() ? nullptr
                                   : make_method(find_method(method_name), settings(method_name))),
        trainer(network,
                data,
                data,
                {.epochs = 2,
                 .batch = 12,
                 .learning_rate = 0.02,
                 .round = {.count = 2, .epochs = false},
                 .seed = 7,
                 .probe = 0,
                 .workers = workers},
                method.get()) {}

  static std::map<std::string, std::string> settings(const std::string& method_name) {
    if (method_name == "admm") return {{"extragradient", "true"}};  // two passes a step
    return {};
  }

  Graph graph;
  Network network;
  SampleBatches data;
  std::unique_ptr<Method> method;
  Trainer trainer;
};

struct Outcome {
  State state;
  std::string error;
};

using Prepare = std::function<void(int rank, Watched& workers)>;
using Observe = std::function<void(int rank, Worker& worker, Observer& observer)>;

// What each of `size` workers ends with.
std::vector<Outcome> train(int size,
                           const std::string& method,
                           const Prepare& prepare = {},
                           const Observe& observe = {}) {
  configure_process(1);
  std::vector<std::optional<Ring>> rings;
  for (Ring& ring : make_rings(size)) rings.emplace_back(std::move(ring));
  std::vector<Outcome> outcomes(static_cast<std::size_t>(size));
  at_once(size, [&](int rank) {
    const auto at = static_cast<std::size_t>(rank);
    at::set_num_threads(1);
    std::unique_ptr<Watched> workers;
    if (size > 1) workers = std::make_unique<Watched>(std::move(*rings[at]));
    rings[at].reset();
    if (prepare) prepare(rank, *workers);
    Worker worker(method, workers.get());
    Observer observer;
    if (observe) observe(rank, worker, observer);
    try {
      worker.trainer.run(observer);
    } catch (const WorkError& error) {
      outcomes[at].error = error.what();
    }
    outcomes[at].state = worker.trainer.state();
  });
  return outcomes;
}

const torch::Tensor& parameters(const Outcome& outcome) {
  return outcome.state.at("network.parameters");
}

class Overlap : public ::testing::TestWithParam<std::string> {};

// As in data_parallel.cc, with fewer steps; a gradient's largest element is below 1.
TEST_P(Overlap, GivesWhatOneWorkerGives) {
  const Outcome one = train(1, GetParam())[0];
  for (const int size : {2, 4}) {
    for (const Outcome& run : train(size, GetParam())) {
      EXPECT_EQ(run.error, "");
      EXPECT_LT((parameters(run) - parameters(one)).abs().max().item<float>(), 1e-5F) << size;
    }
  }
}

// Of four workers, whose sums depend on the order of the summands.
TEST_P(Overlap, GivesBitsThatDoNotDependOnTime) {
  const std::vector<Outcome> beside = train(4, GetParam());
  const std::vector<Outcome> behind =
      train(4, GetParam(), [](int, Watched& workers) { workers.late = true; });
  const std::vector<Outcome> unsteady = train(4, GetParam(), [](int rank, Watched& workers) {
    workers.late = rank == 2;
    workers.before_start = [random = Random(static_cast<std::uint64_t>(rank))](int) mutable {
      std::this_thread::sleep_for(std::chrono::microseconds(random.below(2000)));
    };
  });
  for (const auto* runs : {&beside, &behind, &unsteady}) {
    for (const Outcome& run : *runs) {
      EXPECT_EQ(run.error, "");
      EXPECT_TRUE(torch::equal(parameters(run), parameters(beside[0])));
    }
  }
}

// A worker fails in each of the places between two parts, in the second step's (last) pass.
TEST_P(Overlap, LeavesTheStateBeforeTheStepInWhichAWorkerIsLost) {
  const int passes = GetParam() == "admm" ? 2 : 1;
  for (int part = 0; part < kParts; ++part) {
    SCOPED_TRACE(part);
    State before;
    const std::vector<Outcome> runs = train(
        2,
        GetParam(),
        [&](int rank, Watched& workers) {
          if (rank == 0) return;
          workers.before_start = [fatal = (2 * passes - 1) * kParts + part](int start) {
            if (start == fatal) throw WorkError("dead");
          };
        },
        [&](int rank, Worker& worker, Observer& observer) {
          if (rank == 0) observer.between_steps = [&] { before = worker.trainer.state(); };
        });
    EXPECT_EQ(runs[1].error, "dead");
    EXPECT_THAT(runs[0].error, HasSubstr("[workers] lost worker 1: its connection is closed"));
    ASSERT_FALSE(before.empty());
    for (const auto& [name, tensor] : before) {
      if (name == "sums") continue;  // seconds are in it
      EXPECT_TRUE(torch::equal(tensor, runs[0].state.at(name))) << name;
    }
  }
}

TEST_P(Overlap, StopsAllWorkersAfterTheSameStep) {
  std::vector<int> steps(2, 0);
  const std::vector<Outcome> runs =
      train(2, GetParam(), {}, [&](int rank, Worker& /*worker*/, Observer& observer) {
        const auto at = static_cast<std::size_t>(rank);
        observer.stop = [&steps, at] { return at == 1 && steps[1] >= 3; };
        observer.between_steps = [&steps, at] { ++steps[at]; };
      });
  EXPECT_EQ(runs[0].error, "[train] stopped on request in epoch 2 of 2");
  EXPECT_EQ(runs[0].error, runs[1].error);
  EXPECT_EQ(steps[0], 4);
  EXPECT_EQ(steps[1], 4);
  EXPECT_TRUE(torch::equal(parameters(runs[0]), parameters(runs[1])));
}

INSTANTIATE_TEST_SUITE_P(Methods,
                         Overlap,
                         ::testing::Values("", "admm", "binaryrelax"),
                         [](const auto& row) {
                           return row.param.empty() ? std::string("float32") : row.param;
                         });

}  // namespace
}  // namespace lastbit
