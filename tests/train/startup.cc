#include "lastbit/train/startup.h"

#include <cstdlib>

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "lastbit/base/threads.h"

namespace lastbit {
namespace {

TEST(Startup, SetsTheThreadsOfLibTorch) {
  configure_process(3);
  EXPECT_EQ(at::get_num_threads(), 3);
  configure_process(1);
  EXPECT_EQ(at::get_num_threads(), 1);
  configure_process(0);
  EXPECT_EQ(at::get_num_threads(), usable_processors());
}

TEST(Startup, AsksForTheSameBitsInEveryRun) {
  configure_process(1);
  EXPECT_TRUE(at::globalContext().deterministicAlgorithms());
  EXPECT_TRUE(at::globalContext().deterministicCuDNN());
  EXPECT_FALSE(at::globalContext().benchmarkCuDNN());
}

TEST(Startup, AsksForTheFastestKernelsWhereBitsMayDiffer) {
  configure_process(1, /*same_bits=*/false);
  EXPECT_FALSE(at::globalContext().deterministicAlgorithms());
  EXPECT_FALSE(at::globalContext().deterministicCuDNN());
  EXPECT_TRUE(at::globalContext().benchmarkCuDNN());
  configure_process(1);
}

TEST(Startup, TurnsTf32OffUntilItIsAskedFor) {
  at::globalContext().setAllowTF32CuDNN(true);
  at::globalContext().setAllowTF32CuBLAS(true);
  configure_process(1);
  EXPECT_FALSE(at::globalContext().allowTF32CuDNN());
  EXPECT_FALSE(at::globalContext().allowTF32CuBLAS());
}

TEST(Startup, LeavesTheUsersWayOfWaiting) {
  ::setenv("OMP_WAIT_POLICY", "active", 1);
  ensure_passive_waiting(nullptr);
  EXPECT_STREQ(std::getenv("OMP_WAIT_POLICY"), "active");
}

}  // namespace
}  // namespace lastbit
