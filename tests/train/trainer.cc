#include "lastbit/train/trainer.h"

#include <cmath>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/method/admm.h"
#include "lastbit/train/sample_batches.h"
#include "tiny.h"

namespace lastbit {
namespace {

TEST(Trainer, CallsTheMethodInItsOrder) {
  Tiny tiny;
  Recorder recorder(2);
  Trainer trainer(tiny.network, tiny.data, tiny.data, {.epochs = 2, .batch = 6}, &recorder);
  EXPECT_THAT(recorder.notes(), testing::ElementsAre("begin"));
  trainer.run({});
  EXPECT_THAT(recorder.notes(),
              testing::ElementsAre("begin",
                                   "before 0: step 0/4 epoch 0",
                                   "after 0: step 0/4 epoch 0",
                                   "before 1: step 0/4 epoch 0",
                                   "after 1: step 0/4 epoch 0",
                                   "step 1",
                                   "before 0: step 1/4 epoch 0",
                                   "after 0: step 1/4 epoch 0",
                                   "before 1: step 1/4 epoch 0",
                                   "after 1: step 1/4 epoch 0",
                                   "step 2",
                                   "round 0 of 2 at step 2",
                                   "before 0: step 2/4 epoch 1",
                                   "after 0: step 2/4 epoch 1",
                                   "before 1: step 2/4 epoch 1",
                                   "after 1: step 2/4 epoch 1",
                                   "step 3",
                                   "before 0: step 3/4 epoch 1",
                                   "after 0: step 3/4 epoch 1",
                                   "before 1: step 3/4 epoch 1",
                                   "after 1: step 3/4 epoch 1",
                                   "step 4",
                                   "round 1 of 2 at step 4"));
}

TEST(Trainer, TellsTheLearningRateOfItsSchedule) {
  Tiny tiny;
  std::vector<double> rates;
  Observer observer;
  observer.epoch = [&](const EpochReport& report) { rates.push_back(report.learning_rate); };
  Trainer(tiny.network,
          tiny.data,
          tiny.data,
          {.epochs = 3, .batch = 10, .learning_rate = Schedule::parse("0.1*0.5", "rate")})
      .run(observer);
  EXPECT_THAT(rates, testing::ElementsAre(0.1, 0.05, 0.025));
}

// At rate 0 the weights stay, so the mean over the epoch's batches is that over the data, the
// partial last batch counted by its size.
TEST(Trainer, UsesEverySampleOnceAnEpoch) {
  Tiny tiny;
  const Score expected = evaluate(tiny.network, tiny.data);
  std::vector<EpochReport> epochs;
  std::vector<StepReport> steps;
  Observer observer;
  observer.epoch = [&](const EpochReport& report) { epochs.push_back(report); };
  observer.step = [&](const StepReport& report) { steps.push_back(report); };
  Trainer(tiny.network, tiny.data, tiny.data, {.epochs = 2, .batch = 4, .learning_rate = 0.0})
      .run(observer);
  ASSERT_EQ(epochs.size(), 2U);
  ASSERT_EQ(steps.size(), 2U);
  for (const StepReport& report : steps) EXPECT_EQ(report.samples, 10);
  for (const EpochReport& report : epochs) {
    // Losses of batches below 2 are rounded to float32.
    EXPECT_NEAR(report.loss, expected.loss, 4 * 0x1p-23);
    EXPECT_DOUBLE_EQ(report.error, expected.error);
    EXPECT_EQ(report.test.examples, 10);
    EXPECT_EQ(report.test.error, expected.error);
    EXPECT_FALSE(report.residuals.has_value());
    EXPECT_GE(report.seconds, 0.0);
  }
  EXPECT_EQ(epochs[0].epoch, 1);
  EXPECT_EQ(epochs[1].epoch, 2);
}

TEST(Trainer, ReportsWhatIsDeployedAndTheLastRound) {
  Tiny tiny;
  Recorder recorder(1);
  std::vector<EpochReport> epochs;
  Observer observer;
  std::vector<std::optional<Residuals>> at_steps;
  observer.epoch = [&](const EpochReport& report) { epochs.push_back(report); };
  observer.step = [&](const StepReport& report) { at_steps.push_back(report.residuals); };
  Trainer(tiny.network, tiny.data, tiny.data, {.epochs = 2, .batch = 4}, &recorder).run(observer);
  ASSERT_EQ(at_steps.size(), 2U);
  ASSERT_TRUE(at_steps[1].has_value());
  EXPECT_EQ(at_steps[1]->primal, 6.0);
  ASSERT_EQ(epochs.size(), 2U);
  const Score expected = evaluate(tiny.network, tiny.data, recorder.deployed());
  EXPECT_EQ(epochs[1].test.loss, expected.loss);
  ASSERT_TRUE(epochs[1].residuals.has_value());
  EXPECT_EQ(epochs[0].residuals->primal, 3.0);
  EXPECT_EQ(epochs[1].residuals->primal, 6.0);
}

TEST(Trainer, AsksTheMethodForTheLearningRate) {
  Tiny tiny;
  Recorder recorder(1);
  std::vector<double> rates;
  Observer observer;
  observer.epoch = [&](const EpochReport& report) { rates.push_back(report.learning_rate); };
  Trainer(tiny.network,
          tiny.data,
          tiny.data,
          {.epochs = 3, .batch = 10, .learning_rate = 0.5},
          &recorder)
      .run(observer);
  EXPECT_THAT(rates, testing::ElementsAre(0.5, 0.125, 0.5));
}

TEST(Trainer, StopsOnRequest) {
  Tiny tiny;
  int asked = 0;
  Observer observer;
  observer.stop = [&] { return ++asked == 5; };
  Trainer trainer(tiny.network, tiny.data, tiny.data, {.epochs = 4, .batch = 4});
  EXPECT_EQ(message_of<WorkError>([&] { trainer.run(observer); }),
            "[train] stopped on request in epoch 2 of 4");
  EXPECT_EQ(asked, 5);
}

TEST(Trainer, SaysThatTheLossIsNoLongerFinite) {
  const Graph graph = make_network(
      "mlp", {.input = {4}, .classes = 2, .hidden = {8, 8}, .center = "none", .seed = 2});
  Network network(graph, {});
  const SampleBatches data(std::make_shared<RandomSamples>(100, Shape{4}, 2), {4}, torch::kCPU);
  Trainer trainer(network, data, data, {.epochs = 50, .batch = 10, .learning_rate = 1e6});
  const std::string message = message_of<WorkError>([&] { trainer.run({}); });
  EXPECT_THAT(message, testing::StartsWith("[train] the loss is no longer finite in epoch "));
  EXPECT_THAT(message,
              testing::EndsWith("learning rate 1e+06; a smaller learning rate or penalty helps"));
}

TEST(Trainer, NamesTheOptionThatIsOutOfRange) {
  const auto refusal = [](const TrainerOptions& options) {
    return message_of<InputError>([&] {
      Tiny tiny;
      Trainer(tiny.network, tiny.data, tiny.data, options);
    });
  };
  EXPECT_EQ(refusal({.epochs = 0}), "[train] epochs is 0, expected at least 1");
  EXPECT_EQ(refusal({.batch = -3}), "[train] batch is -3, expected at least 1");
  EXPECT_EQ(refusal({.round = {.count = 0}}), "[train] round is 0, expected at least 1");
  EXPECT_EQ(refusal({.optimizer = {.momentum = 2.0}}),
            "[optimizer] momentum is 2, expected 0 <= momentum < 1");
}

TEST(Trainer, WantsAnOutputForEveryClass) {
  const Graph graph = tiny_graph(3);
  Network network(graph, {});
  const SampleBatches data(std::make_shared<RandomSamples>(10, Shape{4}, 5), {4}, torch::kCPU);
  EXPECT_EQ(message_of<InputError>([&] { Trainer(network, data, data, {}); }),
            "[data] the model's output is [1, 3] for one sample, expected [1, classes] with at "
            "least the data's 5 classes");
}

struct Run {
  std::vector<double> losses;
  std::vector<float> weights;
  friend bool operator==(const Run&, const Run&) = default;
};

Run run_with_seed(std::uint64_t seed, bool with_method, bool with_dropout = false) {
  at::set_num_threads(1);
  Graph graph = tiny_graph();
  if (with_dropout) {
    Node& last = graph.nodes.back();
    Node dropout{.name = "drop",
                 .op = "Dropout",
                 .domain = {},
                 .inputs = {last.inputs[0]},
                 .outputs = {"d"},
                 .attributes = {}};
    last.inputs[0] = "d";
    graph.nodes.insert(graph.nodes.end() - 1, dropout);
  }
  Network network(graph, constraints(graph, "ternary"));
  const SampleBatches data(std::make_shared<RandomSamples>(50, Shape{4}, 2), {4}, torch::kCPU);
  const auto method = with_method ? make_admm({.rho = 0.01}) : nullptr;
  Run result;
  Observer observer;
  observer.epoch = [&](const EpochReport& report) { result.losses.push_back(report.loss); };
  Trainer(network, data, data, {.epochs = 4, .batch = 8, .seed = seed}, method.get()).run(observer);
  result.weights = vector_of(network.parameters());
  return result;
}

TEST(Trainer, RepeatsARunBitForBit) {
  for (const bool with_method : {false, true}) {
    for (const bool with_dropout : {false, true}) {
      EXPECT_EQ(run_with_seed(1, with_method, with_dropout),
                run_with_seed(1, with_method, with_dropout))
          << with_method << with_dropout;
      EXPECT_NE(run_with_seed(1, with_method, with_dropout),
                run_with_seed(2, with_method, with_dropout))
          << with_method << with_dropout;
    }
  }
}

TEST(Evaluate, PutsTheFloatWeightsBack) {
  Tiny tiny;
  const std::vector<float> before = vector_of(tiny.network.parameters());
  const Weights weights = tiny.network.constrained();
  const std::vector<Quantized> low_bit = project(weights.layers, weights.value);
  const Score deployed = evaluate(tiny.network, tiny.data, low_bit);
  EXPECT_EQ(vector_of(tiny.network.parameters()), before);

  torch::Tensor value = weights.value;
  decode(weights.layers, low_bit, value);
  EXPECT_EQ(evaluate(tiny.network, tiny.data).loss, deployed.loss);
}

TEST(Evaluate, AgreesWithALoopInDouble) {
  const Graph graph = tiny_graph(3);
  Network network(graph, {});
  const auto source = std::make_shared<RandomSamples>(1203, Shape{4}, 3);  // more than two batches
  const SampleBatches data(source, {4}, torch::kCPU);
  const Score score = evaluate(network, data);
  EXPECT_EQ(score.examples, 1203);
  const torch::NoGradGuard no_gradient;
  const torch::Tensor logits =
      network.forward(torch::tensor(source->values()).view({1203, 4})).to(torch::kFloat64);
  double loss = 0.0;
  std::int64_t misses = 0;
  for (std::int64_t i = 0; i < 1203; ++i) {
    const double* row = logits.data_ptr<double>() + 3 * i;
    const std::int64_t label = i % 3;
    loss += std::log(std::exp(row[0]) + std::exp(row[1]) + std::exp(row[2])) - row[label];
    misses += row[label] < std::max({row[0], row[1], row[2]}) ? 1 : 0;
  }
  // A mean of 500 losses below 4 in float32.
  EXPECT_NEAR(score.loss, loss / 1203.0, 500 * 4 * 0x1p-24);
  EXPECT_DOUBLE_EQ(score.error, static_cast<double>(misses) / 1203.0);
}

}  // namespace
}  // namespace lastbit
