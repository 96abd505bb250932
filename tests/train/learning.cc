#include <vector>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "lastbit/method/admm.h"
#include "lastbit/method/fixed_codes.h"
#include "lastbit/train/sample_batches.h"
#include "lastbit/train/trainer.h"
#include "support.h"

// Networks that learn the embedded digits, with figures that leave room for another processor's
// roundings.

namespace lastbit {
namespace {

struct Lesson {
  explicit Lesson(const Graph& graph, const std::string& rule, std::int64_t samples)
      : network(graph, constraints(graph, rule)),
        digits(small_digits(samples, 1000)),
        train(digits.train, network.sample_shape(), torch::kCPU),
        test(digits.test, network.sample_shape(), torch::kCPU) {
    at::set_num_threads(1);
  }

  std::vector<EpochReport> run(const TrainerOptions& options, Method* method = nullptr) {
    std::vector<EpochReport> reports;
    Observer observer;
    observer.epoch = [&](const EpochReport& report) { reports.push_back(report); };
    Trainer(network, train, test, options, method).run(observer);
    return reports;
  }

  Network network;
  Dataset digits;
  SampleBatches train;
  SampleBatches test;
};

TEST(Learning, TheLossFallsFromEpochToEpoch) {
  Lesson lesson(small_mlp(), "ternary", 2000);
  const auto reports = lesson.run({.epochs = 4, .batch = 64, .learning_rate = 0.05});
  for (std::size_t i = 1; i < reports.size(); ++i) {
    EXPECT_LT(reports[i].loss, reports[i - 1].loss);
  }
}

TEST(Learning, Lenet300LearnsTheDigitsInSomeHundredSteps) {
  Lesson lesson(make_network("lenet300", {.seed = 1}), "ternary", 6000);
  const auto reports =
      lesson.run({.epochs = 6, .batch = 128, .learning_rate = Schedule::parse("cosine:0.1", "")});
  EXPECT_LT(reports.back().test.error, 0.15);
  EXPECT_LT(reports.back().error, reports.back().test.error);
}

TEST(Learning, AdmmAndFixedCodesBeatTheProjectionOfTheReference) {
  Lesson lesson(small_mlp(), "ternary", 2000);
  lesson.run({.epochs = 6, .batch = 64, .learning_rate = 0.05});
  const Weights weights = lesson.network.constrained();
  const Score direct =
      evaluate(lesson.network, lesson.test, project(weights.layers, weights.value));

  const auto admm = make_admm({.rho = Schedule::parse("1e-3..1e-1", "rho")});
  const auto reports = lesson.run({.epochs = 10, .batch = 64, .learning_rate = 0.02}, admm.get());
  const Score compressed = reports.back().test;
  EXPECT_LT(compressed.error, direct.error);

  const auto fixed = make_fixed_codes(admm->deployed());
  const double before = evaluate(lesson.network, lesson.train, fixed->deployed()).loss;
  lesson.run({.epochs = 2, .batch = 64, .learning_rate = 0.005}, fixed.get());
  EXPECT_LT(evaluate(lesson.network, lesson.train, fixed->deployed()).loss, before);
}

}  // namespace
}  // namespace lastbit
