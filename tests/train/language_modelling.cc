#include "lastbit/train/language_modelling.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/graph/dropout.h"
#include "lastbit/method/registry.h"
#include "lastbit/train/evaluate.h"
#include "lastbit/train/text_batches.h"
#include "lastbit/train/trainer.h"
#include "lastbit/zoo/zoo.h"
#include "rings.h"
#include "support.h"

namespace lastbit {
namespace {

using ::testing::HasSubstr;
using State = std::map<std::string, torch::Tensor>;

constexpr std::int64_t kWords = 7;

TextPart text_of(std::int64_t tokens) {
  TextPart text{.ids = {}, .from = "a text"};
  Random random(3, 0);
  for (std::int64_t i = 0; i < tokens; ++i) {
    text.ids.push_back(static_cast<std::int32_t>(random.below(kWords)));
  }
  return text;
}

TextBatches batches_of(const TextPart& text, std::int64_t streams, std::int64_t steps) {
  return {text, TextUnits::kWords, kWords, {.streams = streams, .steps = steps}, torch::kCPU};
}

Graph model(const std::string& name = "lstm-lm", float dropout = 0.0F, std::uint64_t seed = 0) {
  return make_network(
      name,
      {.seed = seed, .words = kWords, .units = 5, .layers = 2, .dropout = dropout, .tied = false});
}

std::vector<std::string> values_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const Value& output : graph.outputs) names.push_back(output.name);
  return names;
}

Graph tiny_classifier() {
  return make_network("mlp", {.input = {4}, .classes = 2, .hidden = {8}, .center = "none"});
}

// As the zoo's own: the same masks for the same random numbers, and none in use.
TEST(LanguageModelling, DropsWhatIsAddedAsTheZoosOwn) {
  const TextPart text = text_of(40);
  const TextBatches data = batches_of(text, 2, 5);
  const Graph plain = model();
  const auto loss = [&](const Graph& graph, bool training) {
    Network network(graph, {}, torch::kCPU, values_of(graph));
    network.set_training(training);
    torch::manual_seed(3);
    return LanguageModelling(TextUnits::kWords)
        .loss(network, data.gather(std::vector<std::int64_t>{0, 1}), {})
        .loss.item<double>();
  };
  EXPECT_EQ(loss(with_dropout(plain, 0.5F), true), loss(model("lstm-lm", 0.5F), true));
  EXPECT_NE(loss(with_dropout(plain, 0.5F), true), loss(plain, true));
  EXPECT_EQ(loss(with_dropout(plain, 0.5F), false), loss(plain, false));
}

struct Trained {
  Trained(const Graph& graph, const std::string& rule)
      : network(graph,
                rule.empty() ? std::vector<Constraint>{} : constraints(graph, rule),
                torch::kCPU,
                values_of(graph)) {}
  Network network;
};

std::vector<std::int64_t> all_of(const TextBatches& batches) { return batches.order(0, 0); }

TEST(TextBatches, ForetellEachTokenOfAStreamOnceAndInOrder) {
  for (const std::int64_t steps : {1, 3, 5, 100}) {
    const TextPart text = text_of(23);
    const TextBatches batches = batches_of(text, 1, steps);
    std::vector<std::int64_t> seen;
    std::vector<std::int64_t> foretold;
    for (const std::int64_t i : all_of(batches)) {
      const Batch batch = batches.gather(std::vector{i});
      for (std::int64_t t = 0; t < batch.input.size(1); ++t) {
        seen.push_back(batch.input[0][t].item<std::int64_t>());
        foretold.push_back(batch.labels[0][t].item<std::int64_t>());
      }
    }
    EXPECT_EQ(seen, std::vector<std::int64_t>(text.ids.begin(), text.ids.end() - 1));
    EXPECT_EQ(foretold, std::vector<std::int64_t>(text.ids.begin() + 1, text.ids.end()));
  }
}

TEST(TextBatches, ReadPiecesOfOneLengthSideBySide) {
  const TextPart text = text_of(24);  // 23 to foretell: 3 pieces of 7, two left out
  const TextBatches batches = batches_of(text, 3, 4);
  ASSERT_EQ(batches.size(), 6);
  const Batch second = batches.gather(std::vector<std::int64_t>{3, 4, 5});
  ASSERT_EQ(second.input.sizes().vec(), (std::vector<std::int64_t>{3, 3}));
  for (std::int64_t piece = 0; piece < 3; ++piece) {
    for (std::int64_t t = 0; t < 3; ++t) {
      const auto at = static_cast<std::size_t>(piece * 7 + 4 + t);
      EXPECT_EQ(second.input[piece][t].item<std::int64_t>(), text.ids[at]);
      EXPECT_EQ(second.labels[piece][t].item<std::int64_t>(), text.ids[at + 1]);
    }
  }
}

TEST(TextBatches, MarkWhatAShorterWindowLacks) {
  const TextBatches batches = batches_of(text_of(8), 1, 4);
  const Batch both = batches.gather(std::vector<std::int64_t>{0, 1});
  EXPECT_EQ(both.labels[1][3].item<std::int64_t>(), kNoLabel);
  EXPECT_NE(both.labels[1][2].item<std::int64_t>(), kNoLabel);
  EXPECT_NE(both.labels[0][3].item<std::int64_t>(), kNoLabel);
}

TEST(TextBatches, RefuseTextsWithoutATokenForEachStream) {
  for (const std::int64_t tokens : {0, 1, 4}) {
    try {
      batches_of(text_of(tokens), 4, 2);
      FAIL() << tokens;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("a text"));
      EXPECT_THAT(error.what(), HasSubstr("the batch, 4"));
    }
  }
  EXPECT_THROW(batches_of(text_of(9), 0, 2), InputError);
  EXPECT_THROW(batches_of(text_of(9), 1, 0), InputError);
}

class EveryModel : public testing::TestWithParam<std::string> {};

// A text read in windows, with the state carried on, is the text read at once.
TEST_P(EveryModel, MeasuresAlikeInWindowsOfAnyLength) {
  Trained trained(model(GetParam()), "");
  LanguageModelling task(TextUnits::kWords);
  const TextPart text = text_of(60);
  const Score whole = task.evaluate(trained.network, batches_of(text, 1, 100), nullptr);
  EXPECT_EQ(whole.examples, 59);
  EXPECT_EQ(whole.measure, Measure::kPerplexity);
  for (const std::int64_t steps : {1, 4, 7}) {
    const Score parts = task.evaluate(trained.network, batches_of(text, 1, steps), nullptr);
    EXPECT_NEAR(parts.loss, whole.loss, 1e-6);
    EXPECT_EQ(parts.error, whole.error);
    EXPECT_EQ(parts.examples, whole.examples);
  }
}

INSTANTIATE_TEST_SUITE_P(Zoo,
                         EveryModel,
                         testing::Values("lstm-lm", "gru-lm"),
                         [](const auto& row) { return row.param.substr(0, row.param.find('-')); });

TEST(LanguageModelling, CarriesItsStateOnlyWhenAStepIsDone) {
  Trained trained(model(), "");
  LanguageModelling task(TextUnits::kWords);
  const TextPart text = text_of(41);
  const TextBatches windows = batches_of(text, 2, 5);
  const Batch first = windows.gather(std::vector<std::int64_t>{0, 1});
  const Batch second = windows.gather(std::vector<std::int64_t>{2, 3});
  const LossOptions carried{.carried = true};
  const auto loss = [&](const Batch& batch, const LossOptions& options) {
    return task.loss(trained.network, batch, options).loss.item<double>();
  };
  trained.network.set_training(false);
  const double alone = loss(second, {});
  EXPECT_EQ(loss(first, carried), loss(first, carried));  // the two passes of extragradient
  EXPECT_EQ(loss(second, carried), alone);                // no step was done
  loss(first, carried);
  task.advance();
  const double after = loss(second, carried);
  EXPECT_NE(after, alone);
  EXPECT_EQ(loss(second, {}), alone);
  // Both windows at once: their mean is that of the whole.
  const TextBatches whole = batches_of(text, 2, 10);
  const Batch both = whole.gather(std::vector<std::int64_t>{0, 1});
  EXPECT_NEAR(loss(both, {}), (loss(first, {}) + after) / 2.0, 1e-6);
  task.start_epoch();
  EXPECT_EQ(loss(second, carried), alone);
}

TEST(LanguageModelling, LearnsFromATeacherWithAStateOfItsOwn) {
  Trained trained(model(), "");
  Trained teacher(model("lstm-lm", 0.0F, 5), "");
  teacher.network.set_training(false);
  {
    const torch::NoGradGuard no_gradient;
    torch::Tensor weights = teacher.network.parameters();
    weights.mul_(20.0);  // so that its outputs differ
  }
  LanguageModelling task(TextUnits::kWords);
  const TextBatches windows = batches_of(text_of(41), 2, 5);
  const Batch first = windows.gather(std::vector<std::int64_t>{0, 1});
  const Batch second = windows.gather(std::vector<std::int64_t>{2, 3});
  const LossOptions own{
      .distillation = {.teacher = &trained.network, .share = 0.25, .temperature = 2.0},
      .carried = true};
  trained.network.set_training(false);
  // A network that teaches itself is told nothing new.
  for (const Batch* batch : {&first, &second}) {
    const BatchLoss result = task.loss(trained.network, *batch, own);
    EXPECT_NEAR(result.target.item<double>(), 0.75 * result.loss.item<double>(), 1e-6);
    EXPECT_TRUE(result.target.requires_grad());
    task.advance();
  }
  task.start_epoch();
  LossOptions other = own;
  other.distillation.teacher = &teacher.network;
  const BatchLoss result = task.loss(trained.network, first, other);
  EXPECT_GT(result.target.item<double>(), 0.75 * result.loss.item<double>() + 1e-6);
}

TEST(LanguageModelling, RefusesNetworksThatDoNotFitTheText) {
  const auto refusal = [](const Graph& graph, std::int64_t words) {
    Network network(graph, {}, torch::kCPU, values_of(graph));
    LanguageModelling task(TextUnits::kWords);
    const TextPart text = text_of(20);
    const TextBatches batches(text, TextUnits::kWords, words, {}, torch::kCPU);
    try {
      task.require_fit(network, batches);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(refusal(model(), kWords), "");
  EXPECT_THAT(refusal(model(), kWords + 1), HasSubstr("expected the vocabulary's 8"));
  EXPECT_THAT(refusal(tiny_classifier(), kWords), HasSubstr("takes no words"));
}

TrainerOptions options_of(Task& task) {
  return {.task = &task,
          .epochs = 3,
          .batch = 4,
          .learning_rate = Schedule::parse("cosine:0.5", "rate"),
          .round = {.count = 2, .epochs = false},
          .seed = 7,
          .clip = 1.0,
          .probe = 6};
}

struct LanguageRun {
  explicit LanguageRun(const std::string& method_name,
                       Communicator* workers = nullptr,
                       float dropout = 0.2F)
      : graph(model("lstm-lm", dropout)),
        network(graph,
                method_name.empty() ? std::vector<Constraint>{} : constraints(graph, "ternary"),
                torch::kCPU,
                values_of(graph)),
        train(batches_of(text_of(99), 4, 5)),
        test(batches_of(text_of(50), 1, 5)),
        task(TextUnits::kWords),
        method(method_name.empty() ? nullptr : make_method(find_method(method_name), {})),
        trainer(network, train, test, with_workers(options_of(task), workers), method.get()) {}

  static TrainerOptions with_workers(TrainerOptions options, Communicator* workers) {
    options.workers = workers;
    return options;
  }

  Graph graph;
  Network network;
  TextBatches train;
  TextBatches test;
  LanguageModelling task;
  std::unique_ptr<Method> method;
  Trainer trainer;
};

class EveryMethodOfTexts : public testing::TestWithParam<std::string> {};

TEST_P(EveryMethodOfTexts, GoesOnFromAnyStepWithTheSameBits) {
  std::vector<State> states;
  {
    LanguageRun run(GetParam());
    Observer observer;
    observer.between_steps = [&] { states.push_back(run.trainer.state()); };
    run.trainer.run(observer);
    states.push_back(run.trainer.state());
  }
  for (std::size_t i = 0; i < states.size(); i += 3) {
    SCOPED_TRACE(i);
    LanguageRun run(GetParam());
    torch::rand({17});  // what happened in between must not matter
    run.trainer.load(states[i]);
    run.trainer.run({});
    const State end = run.trainer.state();
    EXPECT_TRUE(torch::equal(end.at("network.parameters"), states.back().at("network.parameters")));
    EXPECT_TRUE(torch::equal(end.at("task.carried.3"), states.back().at("task.carried.3")));
  }
}

INSTANTIATE_TEST_SUITE_P(Methods,
                         EveryMethodOfTexts,
                         testing::Values("", "admm", "lc", "md-tanh-s"),
                         [](const auto& row) {
                           std::string name = row.param.empty() ? "float32" : row.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// As tests/train/data_parallel.cc bounds it; each worker carries the state of its own pieces.
TEST(LanguageModelling, OfSeveralWorkersIsThatOfOne) {
  LanguageRun one("", nullptr, 0.0F);
  one.trainer.run({});
  for (const int size : {2, 4}) {
    std::vector<Ring> rings = make_rings(size);
    std::vector<torch::Tensor> ends(static_cast<std::size_t>(size));
    at_once(size, [&](int rank) {
      const auto at = static_cast<std::size_t>(rank);
      const auto workers = make_communicator(std::move(rings[at]), torch::kCPU);
      LanguageRun run("", workers.get(), 0.0F);
      run.trainer.run({});
      ends[at] = run.trainer.state().at("network.parameters");
    });
    for (const torch::Tensor& end : ends) {
      EXPECT_LT((end - one.trainer.state().at("network.parameters")).abs().max().item<double>(),
                1e-4);
    }
  }
}

// A text that repeats itself is foretold; one low-bit weight a connection is enough for that.
TEST(LanguageModelling, LearnsATextThatRepeatsItself) {
  TextPart text{.ids = {}, .from = "a text"};
  for (int i = 0; i < 600; ++i) text.ids.push_back(static_cast<std::int32_t>(i * i % 5));
  const Graph graph = make_network("lstm-lm", {.words = 5, .units = 16, .layers = 1});
  Trained trained(graph, "");
  LanguageModelling task(TextUnits::kWords);
  const auto batches = [&](std::int64_t streams) {
    return TextBatches(text, TextUnits::kWords, 5, {.streams = streams, .steps = 10}, torch::kCPU);
  };
  const TextBatches train = batches(4);
  const TextBatches test = batches(1);
  Trainer trainer(trained.network,
                  train,
                  test,
                  {.task = &task,
                   .epochs = 30,
                   .batch = 4,
                   .learning_rate = 0.5,
                   .optimizer = {.weight_decay = 0.0},
                   .clip = 5.0});
  trainer.run({});
  const Score score = task.evaluate(trained.network, test, nullptr);
  EXPECT_LT(std::exp(score.loss), 1.1);
  EXPECT_LT(score.error, 0.02);
}

}  // namespace
}  // namespace lastbit
