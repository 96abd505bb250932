#include "lastbit/runtime/workers.h"

#include <chrono>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace lastbit {
namespace {

struct Counts {
  std::vector<int> units;
  std::vector<int> workers;
};

void count(const void* context, std::size_t begin, std::size_t end, int worker) {
  auto& counts = *static_cast<Counts*>(const_cast<void*>(context));
  for (std::size_t i = begin; i < end; ++i) ++counts.units[i];
  counts.workers[static_cast<std::size_t>(worker)] += 1;
}

TEST(Workers, DoEachUnitOnceInEveryRound) {
  for (int threads = 1; threads <= 6; ++threads) {
    Workers workers(threads);
    for (const std::size_t units : {0, 1, 2, 7, 64}) {
      constexpr int kRounds = 200;
      Counts counts{std::vector<int>(units), std::vector<int>(static_cast<std::size_t>(threads))};
      for (int round = 0; round < kRounds; ++round) workers.run(units, count, &counts);
      EXPECT_EQ(counts.units, std::vector<int>(units, kRounds)) << threads;
      EXPECT_EQ(counts.workers, std::vector<int>(counts.workers.size(), kRounds)) << threads;
    }
  }
}

// Long enough for all of them to have gone to sleep.
TEST(Workers, WakeUpAgain) {
  Workers workers(3);
  Counts counts{std::vector<int>(9), std::vector<int>(3)};
  for (int round = 1; round <= 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    workers.run(9, count, &counts);
    EXPECT_EQ(counts.units, std::vector<int>(9, round));
  }
}

// A worker that takes long lets the caller go to sleep.
TEST(Workers, AreWaitedFor) {
  Workers workers(2);
  int done = 0;
  workers.run(
      2,
      [](const void* context, std::size_t, std::size_t, int worker) {
        if (worker == 0) return;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        *static_cast<int*>(const_cast<void*>(context)) = 1;
      },
      &done);
  EXPECT_EQ(done, 1);
}

}  // namespace
}  // namespace lastbit
