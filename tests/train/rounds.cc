#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/method/admm.h"
#include "lastbit/train/trainer.h"
#include "tiny.h"

// When rounds end, and what is told about them.

namespace lastbit {
namespace {

std::vector<std::string> recorded_rounds(const TrainerOptions& options) {
  Tiny tiny;
  Recorder recorder(1);
  Trainer(tiny.network, tiny.data, tiny.data, options, &recorder).run({});
  return recorder.rounds();
}

TEST(Rounds, EndByEpochs) {
  // Three steps an epoch; the last round is cut short by the end.
  EXPECT_THAT(recorded_rounds({.epochs = 5, .batch = 4, .round = {.count = 2, .epochs = true}}),
              testing::ElementsAre(
                  "round 0 of 3 at step 6", "round 1 of 3 at step 12", "round 2 of 3 at step 15"));
}

TEST(Rounds, EndBySteps) {
  EXPECT_THAT(recorded_rounds({.epochs = 2, .batch = 4, .round = {.count = 2, .epochs = false}}),
              testing::ElementsAre(
                  "round 0 of 3 at step 2", "round 1 of 3 at step 4", "round 2 of 3 at step 6"));
  EXPECT_THAT(recorded_rounds({.epochs = 2, .batch = 4, .round = {.count = 4, .epochs = false}}),
              testing::ElementsAre("round 0 of 2 at step 4", "round 1 of 2 at step 6"));
  EXPECT_THAT(recorded_rounds({.epochs = 1, .batch = 4, .round = {.count = 100, .epochs = false}}),
              testing::ElementsAre("round 0 of 1 at step 3"));
}

TEST(Rounds, MayStartWithOneOfAnotherLength) {
  EXPECT_THAT(recorded_rounds({.epochs = 4, .batch = 5, .round = {.count = 1, .first = 2}}),
              testing::ElementsAre(
                  "round 0 of 3 at step 4", "round 1 of 3 at step 6", "round 2 of 3 at step 8"));
  EXPECT_THAT(recorded_rounds(
                  {.epochs = 2, .batch = 5, .round = {.count = 2, .epochs = false, .first = 1}}),
              testing::ElementsAre(
                  "round 0 of 3 at step 1", "round 1 of 3 at step 3", "round 2 of 3 at step 4"));
  EXPECT_THAT(recorded_rounds({.epochs = 1, .batch = 5, .round = {.count = 1, .first = 9}}),
              testing::ElementsAre("round 0 of 1 at step 2"));
}

TEST(Rounds, AreShorterWhereARunWouldHaveTooFew) {
  // Six steps: four rounds of one and a half, rounded down.
  EXPECT_EQ(Rounds({.count = 2, .epochs = false, .least = 4}, 3, 6).total(), 6);
  EXPECT_EQ(Rounds({.count = 2, .epochs = false, .least = 3}, 3, 6).total(), 3);
  EXPECT_EQ(Rounds({.count = 1, .epochs = true, .least = 10}, 100, 1000).total(), 10);
  EXPECT_EQ(Rounds({.count = 200, .epochs = false, .least = 36}, 100, 7200).steps(5), 200);
  EXPECT_EQ(Rounds({.count = 200, .epochs = false, .least = 36}, 100, 3600).steps(0), 100);
  // Never less than a step each.
  EXPECT_EQ(Rounds({.count = 5, .epochs = false, .least = 36}, 7, 7).total(), 7);
  EXPECT_THROW(Rounds({.least = -1}, 1, 1), InputError);
}

TEST(Rounds, TellTheMethodTheSizeOfStepsAndRounds) {
  Tiny tiny;
  const auto admm = make_admm({.pull = 2.0});
  std::vector<double> penalties;
  Observer observer;
  observer.epoch = [&](const EpochReport& report) {
    penalties.push_back(report.residuals->penalty);
  };
  Trainer(tiny.network,
          tiny.data,
          tiny.data,
          {.epochs = 2,
           .batch = 4,
           .learning_rate = 0.01,
           .optimizer = {.momentum = 0.5},
           .round = {.count = 1, .epochs = true}},
          admm.get())
      .run(observer);
  // Three steps of 0.01 / (1 - 0.5).
  EXPECT_THAT(penalties,
              testing::ElementsAre(testing::DoubleEq(2.0 / 0.06), testing::DoubleEq(2.0 / 0.06)));
}

// The recorder's residual is the number of steps done.
TEST(Rounds, EndTheRunOnceTheWeightsAreFeasible) {
  Tiny tiny;
  Recorder recorder(1);
  std::vector<EpochReport> epochs;
  Observer observer;
  observer.epoch = [&](const EpochReport& report) { epochs.push_back(report); };
  Trainer(tiny.network,
          tiny.data,
          tiny.data,
          {.epochs = 9, .batch = 5, .round = {.count = 1, .epochs = false}, .feasible = 1.0},
          &recorder)
      .run(observer);
  EXPECT_THAT(recorder.rounds(), testing::ElementsAre("round 0 of 18 at step 1"));
  ASSERT_EQ(epochs.size(), 1U);
  EXPECT_TRUE(epochs[0].feasible);
  EXPECT_EQ(epochs[0].test.examples, 10);
}

TEST(Rounds, AreReportedWithTheLossesAtFloatAndLowBitWeights) {
  Tiny tiny;
  Recorder recorder(1);
  std::vector<RoundReport> rounds;
  Observer observer;
  observer.round = [&](const RoundReport& report) {
    rounds.push_back(report);
    // The probe takes all ten samples.
    EXPECT_NEAR(report.loss, evaluate(tiny.network, tiny.data).loss, 1e-6);
    EXPECT_NEAR(
        report.low_bit_loss, evaluate(tiny.network, tiny.data, recorder.deployed()).loss, 1e-6);
    EXPECT_NE(report.loss, report.low_bit_loss);
  };
  Trainer(tiny.network, tiny.data, tiny.data, {.epochs = 2, .batch = 4}, &recorder).run(observer);
  ASSERT_EQ(rounds.size(), 2U);
  EXPECT_EQ(rounds[1].at.round, 1);
  EXPECT_EQ(rounds[1].at.step, 6);
  EXPECT_TRUE(rounds[1].probed);
}

}  // namespace
}  // namespace lastbit
