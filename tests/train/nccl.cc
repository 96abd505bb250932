#include "lastbit/train/nccl.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <torch/cuda.h>

#include "lastbit/train/communicator.h"
#include "rings.h"

namespace lastbit {
namespace {

// With as many devices as there are, up to four; alone, a sum leaves what it is given.
TEST(Nccl, SumsWhatTheDefaultStreamIsStillToWrite) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "needs a GPU";
  if (NcclLibrary::load() == nullptr) GTEST_SKIP() << "needs NCCL";
  const int size = std::min(4, static_cast<int>(torch::cuda::device_count()));
  std::vector<Ring> rings = make_rings(size);
  at_once(size, [&](int rank) {
    const torch::Device device(torch::kCUDA, static_cast<torch::DeviceIndex>(rank));
    const auto workers =
        make_communicator(std::move(rings[static_cast<std::size_t>(rank)]), device);
    const torch::Tensor one = torch::eye(2048, device);
    for (int round = 0; round < 3; ++round) {
      std::vector<torch::Tensor> parts;
      for (int part = 0; part < 4; ++part) {
        torch::Tensor written = torch::full({2048, 2048}, static_cast<float>(part + rank), device);
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
}

}  // namespace
}  // namespace lastbit
