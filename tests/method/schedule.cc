#include "lastbit/method/schedule.h"

#include <cmath>
#include <numbers>
#include <string>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"

namespace lastbit {
namespace {

std::string refusal(const std::string& text) {
  try {
    Schedule::parse(text, "rho");
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

// After `fraction` of a million steps, in epoch and round `period`.
double at(const Schedule& schedule, double fraction, std::int64_t period) {
  constexpr std::int64_t kSteps = 1'000'000;
  return schedule.at({.step = static_cast<std::int64_t>(std::round(fraction * kSteps)),
                      .total_steps = kSteps,
                      .epoch = period,
                      .round = period,
                      .total_rounds = kSteps},
                     Over::kSteps);
}

TEST(Schedule, OfANumberIsConstant) {
  const Schedule schedule = Schedule::parse("0.05", "rho");
  EXPECT_EQ(at(schedule, 0.0, 0), 0.05);
  EXPECT_EQ(at(schedule, 0.5, 7), 0.05);
  EXPECT_EQ(at(schedule, 1.0, 100), 0.05);
  EXPECT_EQ(at(Schedule(0.25), 0.3, 4), 0.25);
}

TEST(Schedule, OfTwoNumbersGoesFromOneToTheOtherByEqualFactors) {
  const Schedule schedule = Schedule::parse("0.1..0.001", "rho");
  EXPECT_DOUBLE_EQ(at(schedule, 0.0, 9), 0.1);
  EXPECT_DOUBLE_EQ(at(schedule, 0.5, 9), 0.01);
  EXPECT_DOUBLE_EQ(at(schedule, 1.0, 9), 0.001);
  const Schedule rising = Schedule::parse("1e-4..1e-2", "rho");
  EXPECT_DOUBLE_EQ(at(rising, 0.25, 0), std::pow(10.0, -3.5));
}

TEST(Schedule, WithAFactorIsMultipliedOnceAPeriod) {
  const Schedule schedule = Schedule::parse("0.1*0.98", "learning-rate");
  EXPECT_DOUBLE_EQ(at(schedule, 0.9, 0), 0.1);
  EXPECT_DOUBLE_EQ(at(schedule, 0.0, 1), 0.098);
  EXPECT_DOUBLE_EQ(at(schedule, 0.0, 40), 0.1 * std::pow(0.98, 40));
  EXPECT_DOUBLE_EQ(at(Schedule::parse("9e-5*1.1", "rho"), 0.0, 2), 9e-5 * 1.21);
}

TEST(Schedule, CountsThePeriodThatItNames) {
  const Progress now{.step = 70,
                     .total_steps = 100,
                     .epoch = 7,
                     .round = 5,
                     .total_rounds = 11,
                     .round_steps = 14};
  const auto value = [&](const std::string& text, Over over) {
    return Schedule::parse(text, "rho").at(now, over);
  };
  EXPECT_EQ(value("1*2", Over::kSteps), 128.0);
  EXPECT_EQ(value("1*2", Over::kRounds), 32.0);
  for (const Over over : {Over::kSteps, Over::kRounds}) {
    EXPECT_EQ(value("1*2@epoch", over), 128.0);
    EXPECT_EQ(value("1*2@3epochs", over), 4.0);
    EXPECT_EQ(value("1*2@round", over), 32.0);
    EXPECT_EQ(value("1*2@2rounds", over), 4.0);
    EXPECT_EQ(value("1*2@20steps", over), 8.0);
  }
  EXPECT_DOUBLE_EQ(value("1..1024", Over::kRounds), 32.0);
  EXPECT_DOUBLE_EQ(value("1..1024", Over::kSteps), 128.0);
}

TEST(Schedule, OfACosineFallsToZero) {
  const Schedule schedule = Schedule::parse("cosine:0.05", "learning-rate");
  EXPECT_DOUBLE_EQ(at(schedule, 0.0, 3), 0.05);
  EXPECT_DOUBLE_EQ(at(schedule, 0.25, 3), 0.025 * (1.0 + std::numbers::sqrt2 / 2.0));
  EXPECT_DOUBLE_EQ(at(schedule, 0.5, 3), 0.025);
  EXPECT_NEAR(at(schedule, 1.0, 3), 0.0, 1e-18);
}

TEST(Schedule, DropsAtTheEpochsOrRoundsThatItNames) {
  const Schedule schedule = Schedule::parse("0.1/10@80,120,150", "learning-rate");
  EXPECT_EQ(at(schedule, 0.9, 0), 0.1);
  EXPECT_EQ(at(schedule, 0.9, 79), 0.1);
  EXPECT_EQ(at(schedule, 0.0, 80), 0.1 / 10.0);
  EXPECT_EQ(at(schedule, 0.0, 119), 0.1 / 10.0);
  EXPECT_EQ(at(schedule, 0.0, 120), 0.1 / 100.0);
  EXPECT_EQ(at(schedule, 0.0, 500), 0.1 / 1000.0);
  const Progress now{.step = 0, .total_steps = 9, .epoch = 1, .round = 7, .total_rounds = 9};
  EXPECT_EQ(Schedule::parse("8/2@3,5", "rho").at(now, Over::kSteps), 8.0);
  EXPECT_EQ(Schedule::parse("8/2@3,5", "rho").at(now, Over::kRounds), 2.0);
  EXPECT_EQ(Schedule::parse("8/0.5@1", "rho").at(now, Over::kSteps), 16.0);
}

// An epoch of 391 steps, as CIFAR has at batches of 128: each share is that of a whole epoch, where
// the quotient of the steps must not be rounded to below it.
TEST(Schedule, DropsAtSharesOfTheRunHoweverLongItIs) {
  const Schedule schedule = Schedule::parse("0.1/10@0.4,0.6,0.75", "learning-rate");
  for (const std::int64_t epochs : {20, 40, 60, 100, 200, 400}) {
    const auto first_step_of = [&](std::int64_t epoch) {
      return schedule.at({.step = 391 * epoch, .total_steps = 391 * epochs, .epoch = epoch},
                         Over::kSteps);
    };
    EXPECT_EQ(first_step_of(0), 0.1);
    EXPECT_EQ(first_step_of(2 * epochs / 5 - 1), 0.1);
    EXPECT_EQ(first_step_of(2 * epochs / 5), 0.1 / 10.0) << epochs;
    EXPECT_EQ(first_step_of(3 * epochs / 5), 0.1 / 100.0) << epochs;
    EXPECT_EQ(first_step_of(3 * epochs / 4), 0.1 / 1000.0) << epochs;
  }
  const Progress middle{.round = 3, .total_rounds = 7};
  EXPECT_EQ(Schedule::parse("8/2@0.5", "rho").at(middle, Over::kRounds), 4.0);
  EXPECT_EQ(Schedule::parse("8/2@0.51", "rho").at(middle, Over::kRounds), 8.0);
}

TEST(Schedule, ReadsItsOwnTextBack) {
  for (const std::string text : {"0.05",
                                 "0.1..0.001",
                                 "0.1*0.98",
                                 "cosine:0.05",
                                 "0.123456789012345",
                                 "1e-300..1.7e+300",
                                 "0.1*0.5@round",
                                 "0.1*0.5@epoch",
                                 "0.001*0.3@30000steps",
                                 "1*1.02@2rounds",
                                 "9e-05*1.0000001",
                                 "cosine:0.1234567",
                                 "cosine:0.1,warm:0.05",
                                 "0.1/10@80,120,150",
                                 "0.1/10@0.25,0.375,0.75",
                                 "3/0.5@2",
                                 "0.1/10@30,60,warm:0.05",
                                 "0.1*0.5@2rounds,warm:0.125"}) {
    const Schedule schedule = Schedule::parse(text, "rho");
    EXPECT_EQ(schedule.text(), text);
    const Schedule again = Schedule::parse(schedule.text(), "rho");
    EXPECT_EQ(at(again, 0.375, 3), at(schedule, 0.375, 3)) << text;
  }
  EXPECT_EQ(Schedule::geometric(0.5, 8.0).text(), "0.5..8");
  EXPECT_EQ(Schedule(1.0 / 3.0).text(), "0.3333333333333333");
}

TEST(Schedule, RisesEvenlyOverItsWarmUp) {
  const Schedule schedule = Schedule::parse("0.5,warm:0.1", "learning-rate");
  const auto step = [&](std::int64_t done) {
    return schedule.at({.step = done, .total_steps = 100}, Over::kSteps);
  };
  EXPECT_DOUBLE_EQ(step(0), 0.05);
  EXPECT_DOUBLE_EQ(step(4), 0.25);
  EXPECT_DOUBLE_EQ(step(9), 0.5);
  EXPECT_DOUBLE_EQ(step(60), 0.5);
  const Schedule cosine = Schedule::parse("cosine:0.5,warm:0.1", "learning-rate");
  EXPECT_DOUBLE_EQ(cosine.at({.step = 50, .total_steps = 100}, Over::kSteps), 0.25);
  EXPECT_EQ(step(0), schedule.at({.round = 0, .total_rounds = 100}, Over::kRounds));
}

TEST(Schedule, NamesTheOptionAndTheTextThatIsMalformed) {
  EXPECT_EQ(
      refusal("fast"),
      "[rho] 'fast' is not a schedule, expected a positive number, FIRST..LAST, FIRST*FACTOR, "
      "FIRST*FACTOR@PERIOD, FIRST/DIVISOR@POINT,... or cosine:FIRST, and ,warm:SHARE after it for "
      "a rise over a share of the run");
}

TEST(Schedule, RefusesWhatIsNotOneOfItsForms) {
  for (const std::string text : {"",
                                 "0",
                                 "-1",
                                 "nan",
                                 "inf",
                                 "1e999",
                                 "0.1 ",
                                 " 0.1",
                                 "0.1x",
                                 "+0.1",
                                 "..",
                                 "0.1..",
                                 "..0.1",
                                 "0.1..0",
                                 "0.1..-1",
                                 "0.1..inf",
                                 "1..2..3",
                                 "0.1*",
                                 "*0.1",
                                 "0.1*0",
                                 "0.1*-2",
                                 "0.1*nan",
                                 "0.1*0.9*2",
                                 "cosine:",
                                 "cosine:0",
                                 "cosine:-1",
                                 "cosine:x",
                                 "cosine",
                                 "cosine:1..2",
                                 "Cosine:1",
                                 "0.1,0.2",
                                 "0x10",
                                 "0.1...0.2x",
                                 "0.1*2@",
                                 "0.1*2@0round",
                                 "0.1*2@x",
                                 "0.1@round",
                                 "0.1*2@-1step",
                                 "0.1*2@3",
                                 "0.1*2@9999999999999999999steps",
                                 "0.1/10",
                                 "0.1/@80",
                                 "/10@80",
                                 "0.1/10@",
                                 "0.1/0@80",
                                 "0.1/-10@80",
                                 "0.1/10@0",
                                 "0.1/10@80,",
                                 "0.1/10@,80",
                                 "0.1/10@80,,120",
                                 "0.1/10@120,80",
                                 "0.1/10@80,80",
                                 "0.1/10@0.4,0.3",
                                 "0.1/10@0.4,120",
                                 "0.1/10@80,0.9",
                                 "0.1/10@80.5",
                                 "0.1/10@80epochs",
                                 "0.1/10@80@120",
                                 "0.1@80/10",
                                 "0.1/10/2@80",
                                 "0.1/10@1e999",
                                 "cosine:0.1/10@80",
                                 "0.1,warm:",
                                 "0.1,warm:0",
                                 "0.1,warm:1",
                                 "0.1,warm:-0.1",
                                 "0.1,warm:x",
                                 ",warm:0.1",
                                 "0.1,warm:0.1,warm:0.1",
                                 "cosine:,warm:0.1"}) {
    const std::string message = refusal(text);
    EXPECT_EQ(message.rfind("[rho] '" + text + "' is not a schedule", 0), 0U)
        << text << ": " << message;
  }
}

TEST(Progress, CountsTheShareOfTheStepsThatIsDone) {
  EXPECT_EQ((Progress{.step = 0, .total_steps = 8}).fraction(), 0.0);
  EXPECT_EQ((Progress{.step = 2, .total_steps = 8}).fraction(), 0.25);
  EXPECT_EQ((Progress{.step = 9, .total_steps = 8}).fraction(), 1.0);
  EXPECT_EQ((Progress{.step = 5, .total_steps = 0}).fraction(), 0.0);
}

}  // namespace
}  // namespace lastbit
