#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/method/registry.h"
#include "lastbit/train/sample_batches.h"
#include "lastbit/train/trainer.h"
#include "tiny.h"

namespace lastbit {
namespace {

using State = std::map<std::string, torch::Tensor>;

// A network with batch norm and dropout, whose statistics and random numbers must be saved too.
Graph noisy_graph() {
  Graph graph =
      make_network("mlp", {.input = {2, 4, 4}, .classes = 3, .hidden = {9}, .center = "none"});
  Node& last = graph.nodes.back();
  const std::string hidden = last.inputs[0];
  for (const char* name : {"scale", "shift", "mean", "variance"}) {
    const bool ones = std::string(name) == "scale" || std::string(name) == "variance";
    graph.initializers.emplace(name,
                               Tensor::floats({9}, std::vector<float>(9, ones ? 1.0F : 0.0F)));
  }
  last.inputs[0] = "dropped";
  Node norm;
  norm.op = "BatchNormalization";
  norm.inputs = {hidden, "scale", "shift", "mean", "variance"};
  norm.outputs = {"normed"};
  Node dropout;
  dropout.op = "Dropout";
  dropout.inputs = {"normed"};
  dropout.outputs = {"dropped"};
  graph.nodes.insert(graph.nodes.end() - 1, {norm, dropout});
  return graph;
}

struct Training {
  explicit Training(const std::string& name, const TrainerOptions& options)
      : graph(noisy_graph()),
        network(graph, name.empty() ? std::vector<Constraint>{} : constraints(graph, set_of(name))),
        data(std::make_shared<RandomSamples>(23, Shape{2, 4, 4}, 3), {2, 4, 4}, torch::kCPU),
        method(name.empty() ? nullptr : make_method(find_method(name), {})),
        trainer(network, data, data, options, method.get()) {}

  static std::string set_of(const std::string& name) {
    const bool binary = name == "bc" || name == "bwn" || name == "dorefa";
    return binary ? "binary" : "ternary";
  }

  Graph graph;
  Network network;
  SampleBatches data;
  std::unique_ptr<Method> method;
  Trainer trainer;
};

TrainerOptions options_of(const std::string& optimizer) {
  return {.epochs = 3,
          .batch = 5,
          .learning_rate = Schedule::parse("cosine:0.05", "rate"),
          .optimizer = {.name = optimizer, .weight_decay = 1e-3},
          .round = {.count = 2, .epochs = false},
          .seed = 7,
          .probe = 0};
}

void expect_equal(const State& a, const State& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) {
    ASSERT_TRUE(b.contains(name)) << name;
    if (name == "sums") {  // its second number is seconds
      EXPECT_EQ(tensor[0].item<double>(), b.at(name)[0].item<double>());
      continue;
    }
    // INQ marks weights that are not frozen with NaN, which equals nothing.
    const torch::Tensor other = b.at(name);
    EXPECT_TRUE(tensor.sizes() == other.sizes() &&
                ((tensor == other) | ((tensor != tensor) & (other != other))).all().item<bool>())
        << name;
  }
}

// The state after the run, and after each of its steps.
std::vector<State> states_of(const std::string& method, const TrainerOptions& options) {
  Training run(method, options);
  std::vector<State> states;
  Observer observer;
  observer.between_steps = [&] { states.push_back(run.trainer.state()); };
  run.trainer.run(observer);
  states.push_back(run.trainer.state());
  return states;
}

class EveryMethod : public testing::TestWithParam<std::string> {};

TEST_P(EveryMethod, GoesOnFromAnyStepWithTheSameBits) {
  for (const char* optimizer : {"sgd", "adam"}) {
    SCOPED_TRACE(optimizer);
    const TrainerOptions options = options_of(optimizer);
    const std::vector<State> states = states_of(GetParam(), options);
    for (std::size_t i = 0; i < states.size(); i += 4) {
      SCOPED_TRACE(i);
      Training run(GetParam(), options);
      torch::rand({17});  // what happened in between must not matter
      run.trainer.load(states[i]);
      expect_equal(run.trainer.state(), states[i]);
      run.trainer.run({});
      expect_equal(run.trainer.state(), states.back());
    }
  }
}

std::vector<std::string> trained_methods() {
  std::vector<std::string> names = {""};  // in float
  for (const MethodInfo& info : methods()) {
    if (info.trains) names.emplace_back(info.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Resume,
                         EveryMethod,
                         testing::ValuesIn(trained_methods()),
                         [](const auto& row) {
                           std::string name = row.param.empty() ? "float32" : row.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Resume, TellsTheSameOfEachEpoch) {
  const TrainerOptions options = options_of("sgd");
  std::vector<EpochReport> whole;
  State state;
  {
    Training run("admm", options);
    Observer observer;
    int steps = 0;
    observer.between_steps = [&] {
      if (++steps == 5) state = run.trainer.state();  // the last step of the first epoch
    };
    observer.epoch = [&](const EpochReport& report) { whole.push_back(report); };
    run.trainer.run(observer);
  }
  Training run("admm", options);
  run.trainer.load(state);
  std::vector<EpochReport> rest;
  Observer observer;
  observer.epoch = [&](const EpochReport& report) { rest.push_back(report); };
  run.trainer.run(observer);
  ASSERT_EQ(rest.size(), whole.size());
  for (std::size_t i = 0; i < rest.size(); ++i) {
    EXPECT_EQ(rest[i].epoch, whole[i].epoch);
    EXPECT_EQ(rest[i].loss, whole[i].loss);
    EXPECT_EQ(rest[i].error, whole[i].error);
    EXPECT_EQ(rest[i].test.loss, whole[i].test.loss);
    EXPECT_EQ(rest[i].residuals->primal, whole[i].residuals->primal);
    EXPECT_EQ(rest[i].learning_rate, whole[i].learning_rate);
  }
}

TEST(Resume, RefusesTheStateOfAnotherRun) {
  const TrainerOptions options = options_of("sgd");
  const State state = states_of("admm", options)[2];
  const auto refusal = [&](const std::string& method, const TrainerOptions& other, State changed) {
    Training run(method, other);
    try {
      run.trainer.load(changed);
    } catch (const FormatError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_EQ(refusal("admm", options, state), "accepted");
  TrainerOptions longer = options;
  longer.epochs = 4;
  EXPECT_THAT(refusal("admm", longer, state),
              testing::HasSubstr("the state is of another run: 23 samples"));
  for (const char* part :
       {"place", "sums", "misses", "random.cpu", "network.parameters", "network.constant.mean"}) {
    State lacking = state;
    lacking.erase(part);
    EXPECT_NE(refusal("admm", options, lacking), "accepted") << part;
  }
  State far = state;
  far["place"] = far["place"].clone();
  far["place"][7] = 24;
  EXPECT_NE(refusal("admm", options, far), "accepted");
}

}  // namespace
}  // namespace lastbit
