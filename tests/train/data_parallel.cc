#include "lastbit/train/data_parallel.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/method/registry.h"
#include "lastbit/train/sample_batches.h"
#include "lastbit/train/trainer.h"
#include "rings.h"
#include "tiny.h"

// Several workers, here threads, train one network as one worker does with their batches together.

namespace lastbit {
namespace {

using ::testing::HasSubstr;
using State = std::map<std::string, torch::Tensor>;

// An MLP without batch norm, or with one behind its hidden layer.
//
// Each worker starts with other weights, of which worker 0's are to count.
Graph graph_of(bool batch_norm, const Communicator* workers) {
  Graph graph =
      make_network("mlp",
                   {.input = {2, 4, 4},
                    .classes = 3,
                    .hidden = {9},
                    .center = "none",
                    .seed = workers == nullptr ? 0 : static_cast<std::uint64_t>(workers->rank())});
  if (!batch_norm) return graph;
  Node& last = graph.nodes.back();
  for (const char* name : {"scale", "shift", "mean", "variance"}) {
    const bool ones = std::string(name) == "scale" || std::string(name) == "variance";
    graph.initializers.emplace(name,
                               Tensor::floats({9}, std::vector<float>(9, ones ? 1.0F : 0.0F)));
  }
  Node norm;
  norm.op = "BatchNormalization";
  norm.inputs = {last.inputs[0], "scale", "shift", "mean", "variance"};
  norm.outputs = {"normed"};
  last.inputs[0] = "normed";
  graph.nodes.insert(graph.nodes.end() - 1, norm);
  return graph;
}

struct Worker {
  Worker(const std::string& method_name, bool batch_norm, const TrainerOptions& options)
      : graph(graph_of(batch_norm, options.workers)),
        network(graph,
                method_name.empty() ? std::vector<Constraint>{} : constraints(graph, "ternary")),
        data(std::make_shared<RandomSamples>(45, Shape{2, 4, 4}, 3), {2, 4, 4}, torch::kCPU),
        method(method_name.empty() ? nullptr : make_method(find_method(method_name), {})),
        trainer(network, data, data, options, method.get()) {}

  Graph graph;
  Network network;
  SampleBatches data;
  std::unique_ptr<Method> method;
  Trainer trainer;
};

// The last batch of an epoch, of one sample, leaves some workers without any.
TrainerOptions options_of(const std::string& optimizer = "sgd") {
  return {.epochs = 3,
          .batch = 11,
          .learning_rate = Schedule::parse("cosine:0.05", "rate"),
          .optimizer = {.name = optimizer, .weight_decay = 1e-3},
          .round = {.count = 2, .epochs = false},
          .seed = 7,
          .probe = 0};
}

struct Outcome {
  State state;
  std::vector<EpochReport> epochs;
};

// What each of `size` workers ends with.
std::vector<Outcome> train(int size,
                           const std::string& method,
                           bool batch_norm = false,
                           const TrainerOptions& given = options_of()) {
  std::vector<Ring> rings = make_rings(size);
  std::vector<Outcome> runs(static_cast<std::size_t>(size));
  at_once(size, [&](int rank) {
    const auto at = static_cast<std::size_t>(rank);
    TrainerOptions options = given;
    std::unique_ptr<Communicator> workers;
    if (size > 1) workers = make_communicator(std::move(rings[at]), torch::kCPU);
    options.workers = workers.get();
    Worker worker(method, batch_norm, options);
    Observer observer;
    observer.epoch = [&](const EpochReport& report) { runs[at].epochs.push_back(report); };
    worker.trainer.run(observer);
    runs[at].state = worker.trainer.state();
  });
  return runs;
}

double difference(const torch::Tensor& a, const torch::Tensor& b) {
  return (a.to(torch::kFloat64) - b.to(torch::kFloat64)).abs().max().item<double>();
}

// For names of tests.
std::string name_of(std::string method) {
  std::replace(method.begin(), method.end(), '-', '_');
  return method.empty() ? "float32" : method;
}

struct Case {
  std::string method;
  std::string optimizer;
};

class EveryTraining : public ::testing::TestWithParam<Case> {};

// Gradients of float32 are summed in another order: each step differs by some 2^-24 of a gradient's
// largest element (below 1), 15 steps at rates below 0.1 with momentum 0.9 (factor 10) thus by less
// than 15 * 10 * 0.1 * 2^-24 = 1e-6; ten times that is allowed, for what the network adds.
TEST_P(EveryTraining, OfSeveralWorkersIsThatOfOne) {
  const auto [method, optimizer] = GetParam();
  const TrainerOptions options = options_of(optimizer);
  const Outcome one = train(1, method, false, options)[0];
  for (const int size : {2, 4}) {
    SCOPED_TRACE(size);
    const std::vector<Outcome> runs = train(size, method, false, options);
    for (const Outcome& run : runs) {
      EXPECT_LT(difference(run.state.at("network.parameters"), one.state.at("network.parameters")),
                1e-5);
      EXPECT_TRUE(
          torch::equal(run.state.at("network.parameters"), runs[0].state.at("network.parameters")));
      EXPECT_TRUE(torch::equal(run.state.at("place"), one.state.at("place")));
      ASSERT_EQ(run.epochs.size(), one.epochs.size());
      for (std::size_t i = 0; i < run.epochs.size(); ++i) {
        EXPECT_NEAR(run.epochs[i].loss, one.epochs[i].loss, 1e-5);
        EXPECT_NEAR(run.epochs[i].error, one.epochs[i].error, 1e-9);
        EXPECT_NEAR(run.epochs[i].test.loss, one.epochs[i].test.loss, 1e-5);
        EXPECT_NEAR(run.epochs[i].test.error, one.epochs[i].test.error, 1e-9);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Methods,
                         EveryTraining,
                         ::testing::Values(Case{"", "sgd"},
                                           Case{"", "adam"},
                                           Case{"admm", "sgd"},
                                           Case{"md-tanh", "sgd"}),
                         [](const auto& row) {
                           return name_of(row.param.method) + "_" + row.param.optimizer;
                         });

// Slices are normalized by their own means, so results differ from one worker's; but all workers
// have the same, and running means of the inputs' first layer are those of the whole batch.
TEST(DataParallel, AveragesTheStatisticsOfBatchNorm) {
  TrainerOptions options = options_of();
  options.epochs = 1;
  options.batch = 45;  // one step
  options.learning_rate = 1e-3;
  const Outcome one = train(1, "", true, options)[0];
  for (const int size : {2, 4}) {
    const std::vector<Outcome> runs = train(size, "", true, options);
    for (const char* name : {"network.constant.mean", "network.constant.variance"}) {
      for (const Outcome& run : runs)
        EXPECT_TRUE(torch::equal(run.state.at(name), runs[0].state.at(name)));
    }
    EXPECT_LT(difference(runs[0].state.at("network.constant.mean"),
                         one.state.at("network.constant.mean")),
              1e-6);
    EXPECT_GT(difference(runs[0].state.at("network.constant.variance"),
                         one.state.at("network.constant.variance")),
              1e-6);
  }
}

// Runs two workers with what `observe` adds to each one's observer; what each has thrown, after
// which `ended` is called.
std::vector<std::string> errors_of(
    const std::function<void(int rank, Worker& worker, Observer& observer)>& observe,
    const std::string& method = "admm",
    const std::function<void(int rank, const Worker& worker)>& ended = {}) {
  std::vector<std::optional<Ring>> rings;
  for (Ring& ring : make_rings(2)) rings.emplace_back(std::move(ring));
  std::vector<std::string> errors(2);
  at_once(2, [&](int rank) {
    const auto at = static_cast<std::size_t>(rank);
    TrainerOptions options = options_of();
    auto workers = make_communicator(std::move(*rings[at]), torch::kCPU);
    options.workers = workers.get();
    Worker worker(method, false, options);
    Observer observer;
    observe(rank, worker, observer);
    try {
      worker.trainer.run(observer);
    } catch (const WorkError& error) {
      errors[at] = error.what();
      if (ended) ended(rank, worker);
    }
  });
  return errors;
}

TEST(DataParallel, StopsAllWorkersAfterTheSameStepWhereOneIsAsked) {
  std::vector<std::int64_t> steps(2, 0);
  std::vector<State> states(2);
  const std::vector<std::string> errors =
      errors_of([&](int rank, Worker& worker, Observer& observer) {
        const auto at = static_cast<std::size_t>(rank);
        observer.stop = [&steps, at] { return at == 1 && steps[1] >= 6; };
        observer.between_steps = [&steps, &states, &worker, at] {
          ++steps[at];
          if (worker.trainer.stopping()) states[at] = worker.trainer.state();
        };
      });
  EXPECT_EQ(errors[0], "[train] stopped on request in epoch 2 of 3");
  EXPECT_EQ(errors[0], errors[1]);
  EXPECT_EQ(steps[0], 7);
  EXPECT_EQ(steps[1], 7);
  ASSERT_FALSE(states[0].empty());
  EXPECT_TRUE(torch::equal(states[0].at("network.parameters"), states[1].at("network.parameters")));
}

class AfterALoss : public ::testing::TestWithParam<std::string> {};

TEST_P(AfterALoss, TheStateIsThatBeforeTheStepThatFailed) {
  State before;
  State after;
  const std::vector<std::string> errors = errors_of(
      [&](int rank, Worker& worker, Observer& observer) {
        if (rank == 0) {
          observer.between_steps = [&] { before = worker.trainer.state(); };
          return;
        }
        observer.stop = [steps = 0]() mutable {
          if (++steps == 8) throw WorkError("dead");
          return false;
        };
      },
      GetParam(),
      [&](int rank, const Worker& worker) {
        if (rank == 0) after = worker.trainer.state();
      });
  EXPECT_THAT(errors[0], HasSubstr("[workers] lost worker 1: "));
  ASSERT_FALSE(before.empty());
  ASSERT_EQ(before.size(), after.size());
  for (const auto& [name, tensor] : before) {
    if (name == "sums") continue;  // seconds are in it
    EXPECT_TRUE(torch::equal(tensor, after.at(name))) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Methods,
                         AfterALoss,
                         ::testing::Values("admm", "md-tanh"),
                         [](const auto& row) { return name_of(row.param); });

TEST(DataParallel, NoticesWorkersThatDrift) {
  const std::vector<std::string> errors =
      errors_of([&](int rank, Worker& worker, Observer& observer) {
        if (rank == 0) return;
        observer.between_steps = [&worker] {
          torch::Tensor parameters = worker.network.parameters();
          parameters[parameters.numel() - 1] += 1e-6;
        };
      });
  EXPECT_THAT(
      errors[0],
      HasSubstr("[workers] after epoch 1 the weights of 1 workers, the first of them worker "
                "1, differ from worker 0's"));
  EXPECT_EQ(errors[0], errors[1]);
}

TEST(DataParallel, SharesTextsAndRandomSeeds) {
  std::vector<Ring> rings = make_rings(3);
  at_once(3, [&](int rank) {
    const auto workers =
        make_communicator(std::move(rings[static_cast<std::size_t>(rank)]), torch::kCPU);
    EXPECT_EQ(broadcast(*workers, rank == 0 ? std::string("first") : std::string("other")),
              "first");
    EXPECT_EQ(broadcast(*workers, std::string(rank == 0 ? "" : "x")), "");
  });
  EXPECT_EQ(worker_seed(5, 0), 5U);
  EXPECT_NE(worker_seed(5, 1), worker_seed(5, 2));
}

}  // namespace
}  // namespace lastbit
