#include "lastbit/train/nccl.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include "lastbit/train/communicator.h"
#include "lastbit/train/ring.h"
#include "rings.h"
#if __has_include("device.h")
#include "device.h"  // the pretended device, where the machine has none
#define LASTBIT_PRETENDED_DEVICE
#endif

namespace lastbit {
namespace {

// Enough for a real device to be at work when the sum is asked for.
#ifdef LASTBIT_PRETENDED_DEVICE
constexpr std::int64_t kSide = 600;  // more than the chunks of the pretended NCCL
#else
constexpr std::int64_t kSide = 2048;
#endif

// With as many devices as there are, up to four; alone, a sum leaves what it is given.
TEST(Nccl, SumsWhatTheDefaultStreamIsStillToWrite) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "needs a GPU";
  if (NcclLibrary::load() == nullptr) GTEST_SKIP() << "needs NCCL";
#ifdef LASTBIT_PRETENDED_DEVICE
  pretend::reset_counts();
#endif
  const int size = std::min(4, static_cast<int>(torch::cuda::device_count()));
  std::vector<Ring> rings = make_rings(size);
  at_once(size, [&](int rank) {
    const torch::Device device(torch::kCUDA, static_cast<torch::DeviceIndex>(rank));
    const auto workers =
        make_communicator(std::move(rings[static_cast<std::size_t>(rank)]), device);
    const torch::Tensor one = torch::eye(kSide, device);
    for (int round = 0; round < 3; ++round) {
      std::vector<torch::Tensor> parts;
      for (int part = 0; part < 4; ++part) {
        torch::Tensor written =
            torch::full({kSide, kSide}, static_cast<float>(part + rank), device);
        for (int i = 0; i < 20; ++i) written = written.matmul(one);
        parts.push_back(written);
        workers->start_sum(written);
      }
      torch::Tensor host = torch::ones({1}, torch::kFloat64);  // by the ring, meanwhile
      workers->sum(host);
      EXPECT_EQ(host.item<double>(), size);
      workers->finish_sums();
      for (int part = 0; part < 4; ++part) {
        const auto expected = static_cast<float>(size * part + size * (size - 1) / 2);
        EXPECT_TRUE((parts[static_cast<std::size_t>(part)] == expected).all().item<bool>());
      }
    }
  });
#ifdef LASTBIT_PRETENDED_DEVICE
  EXPECT_EQ(size, 2);
  EXPECT_EQ(pretend::counts().bytes_to_host, 0) << "the sums went by the ring of the hosts";
#endif
}

// One of them takes no part, and keeps its connection.
TEST(Nccl, EndsASumThatAWorkerTakesNoPartIn) {
  if (!torch::cuda::is_available() || torch::cuda::device_count() < 2) {
    GTEST_SKIP() << "needs two GPUs";
  }
  if (NcclLibrary::load() == nullptr) GTEST_SKIP() << "needs NCCL";
  std::vector<Ring> rings = make_rings(2, std::chrono::milliseconds(1000));
  std::promise<void> told;
  std::string said;
  at_once(2, [&](int rank) {
    const torch::Device device(torch::kCUDA, static_cast<torch::DeviceIndex>(rank));
    const torch::Tensor values = torch::ones({100}, device);  // longer than the sum is under way
    const auto workers =
        make_communicator(std::move(rings[static_cast<std::size_t>(rank)]), device);
    if (rank == 1) {
      told.get_future().wait();
      return;
    }
    try {
      workers->start_sum(values);
      workers->finish_sums();
    } catch (const LostWorker& error) {
      said = error.what();
    }
    told.set_value();
  });
  EXPECT_THAT(said, testing::HasSubstr("not done within 1 s (--timeout): a worker is lost"));
}

// NCCL refuses them.
TEST(Nccl, LeavesWorkersThatShareADeviceToTheRing) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "needs a GPU";
  std::vector<Ring> rings = make_rings(2);
  at_once(2, [&](int rank) {
    const torch::Device device(torch::kCUDA, 0);
    const auto workers =
        make_communicator(std::move(rings[static_cast<std::size_t>(rank)]), device);
    torch::Tensor values = torch::full({1000}, static_cast<float>(rank + 1), device);
    workers->start_sum(values);
    workers->finish_sums();
    EXPECT_TRUE((values == 3.0F).all().item<bool>());
    workers->sum(values);
    EXPECT_TRUE((values == 6.0F).all().item<bool>());
  });
}

}  // namespace
}  // namespace lastbit
