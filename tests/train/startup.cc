#include "lastbit/train/startup.h"

#include <cstdlib>

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "lastbit/base/threads.h"
#include "lastbit/train/fast_kernels.h"

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

TEST(Startup, LeavesTheUsersWorkspaceOfCublas) {
  ::unsetenv("CUBLAS_WORKSPACE_CONFIG");
  configure_process(1);
  EXPECT_STREQ(std::getenv("CUBLAS_WORKSPACE_CONFIG"), ":4096:8");
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8", 1);
  configure_process(1);
  EXPECT_STREQ(std::getenv("CUBLAS_WORKSPACE_CONFIG"), ":16:8");
}

TEST(Startup, SaysAWarningOfLibTorchOnce) {
  configure_process(1);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 3; ++i) TORCH_WARN("this kernel\nhas no fixed order");
  TORCH_WARN("another one");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "lastbit: LibTorch warns, once: this kernel has no fixed order\n"
            "lastbit: LibTorch warns, once: another one\n");
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

TEST(FastKernels, AreTakenOverAStepOfAGpuInLowPrecision) {
  configure_process(1);
  const at::Context& context = at::globalContext();
  const auto same_bits = [&] {
    return context.deterministicAlgorithms() && context.deterministicAlgorithmsWarnOnly() &&
           context.deterministicCuDNN() && !context.benchmarkCuDNN();
  };
  for (const Precision precision : {Precision::kBf16, Precision::kTf32}) {
    const FastKernels fast(precision, torch::kCUDA);
    EXPECT_FALSE(context.deterministicAlgorithms());
    EXPECT_FALSE(context.deterministicCuDNN());
    EXPECT_TRUE(context.benchmarkCuDNN());
  }
  EXPECT_TRUE(same_bits());
  const FastKernels exact(Precision::kFloat32, torch::kCUDA);
  EXPECT_TRUE(same_bits());
  const FastKernels host(Precision::kBf16, torch::kCPU);
  EXPECT_TRUE(same_bits());
}

}  // namespace
}  // namespace lastbit
