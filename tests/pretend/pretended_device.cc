#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>
#include <torch/nn/functional/conv.h>
#include <torch/torch.h>

#include "device.h"

namespace lastbit::pretend {
namespace {

using testing::HasSubstr;

const auto kOnDevice = torch::TensorOptions(torch::kCUDA);

std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  return "";
}

TEST(PretendedDevice, IsThereForLibTorch) {
  EXPECT_TRUE(torch::cuda::is_available());
  EXPECT_EQ(torch::cuda::device_count(), 2U);
  EXPECT_EQ(torch::zeros({2}, kOnDevice).device(), torch::Device(torch::kCUDA, 0));
}

TEST(PretendedDevice, ComputesAsTheHostDoes) {
  const torch::Tensor a = torch::randn({3, 4});
  const torch::Tensor b = torch::randn({4, 5});
  const torch::Tensor there = a.to(torch::kCUDA).matmul(b.to(torch::kCUDA)).relu();
  EXPECT_TRUE(there.is_cuda());
  EXPECT_TRUE(there.cpu().equal(a.matmul(b).relu()));
  EXPECT_TRUE((a.to(torch::kCUDA) * 2 + 1).cpu().equal(a * 2 + 1));
}

TEST(PretendedDevice, WritesThroughViews) {
  torch::Tensor all = torch::zeros({4, 3}, kOnDevice);
  all.t().select(0, 1).add_(2.0);
  all.narrow(0, 2, 2).copy_(torch::full({2, 3}, 5.0F));
  EXPECT_TRUE(all.cpu().equal(torch::tensor(
      {{0.0F, 2.0F, 0.0F}, {0.0F, 2.0F, 0.0F}, {5.0F, 5.0F, 5.0F}, {5.0F, 5.0F, 5.0F}})));
}

TEST(PretendedDevice, FollowsChangesOfShape) {
  torch::Tensor all = torch::arange(6, kOnDevice.dtype(torch::kFloat32));
  all.resize_({2, 2});
  EXPECT_TRUE(all.cpu().equal(torch::tensor({{0.0F, 1.0F}, {2.0F, 3.0F}})));
  all.resize_({20}).fill_(1.0);
  EXPECT_EQ(all.sum().item<float>(), 20.0F);
  all.unsqueeze_(0);
  EXPECT_EQ(all.sizes(), (std::vector<std::int64_t>{1, 20}));
  torch::Tensor sum = torch::empty({0}, kOnDevice);
  torch::add_out(sum, all, all);
  EXPECT_EQ(sum.sum().item<float>(), 40.0F);
}

TEST(PretendedDevice, GoesBackwardThroughAConvolution) {
  const torch::Tensor input = torch::randn({2, 3, 5, 5});
  const auto gradient = [&](torch::Device device) {
    torch::Tensor kernel = torch::linspace(-1.0, 1.0, 54).view({2, 3, 3, 3}).to(device);
    kernel.requires_grad_();
    torch::conv2d(input.to(device), kernel).square().sum().backward();
    return kernel.grad().cpu();
  };
  EXPECT_TRUE(gradient(torch::kCUDA).allclose(gradient(torch::kCPU)));
}

TEST(PretendedDevice, RefusesTensorsOfBothSides) {
  const torch::Tensor here = torch::ones({3});
  const torch::Tensor there = torch::ones({3}, kOnDevice);
  EXPECT_THAT(refusal([&] { static_cast<void>(here + there); }), HasSubstr("on the same device"));
  EXPECT_THAT(refusal([&] { torch::stack({there, here}); }), HasSubstr("on the same device"));
  EXPECT_TRUE((there * torch::tensor(2.0F)).is_cuda());  // a single number may come from the host
}

TEST(PretendedDevice, StopsAHostThatReadsItsMemory) {
  const torch::Tensor there = torch::ones({3}, kOnDevice);
  EXPECT_DEATH(static_cast<void>(*static_cast<volatile float*>(there.data_ptr())), "");
}

TEST(PretendedDevice, HandsOutMemoryThatWasNeverWritten) {
  EXPECT_TRUE(torch::empty({100}, kOnDevice).isnan().all().item<bool>());
  EXPECT_TRUE(torch::empty_like(torch::ones({3}, kOnDevice)).isnan().all().item<bool>());
}

TEST(PretendedDevice, HasRandomNumbersOfItsOwn) {
  torch::manual_seed(3);
  const torch::Tensor first = torch::rand({4}, kOnDevice).cpu();
  const torch::Tensor host = torch::rand({4});
  torch::manual_seed(3);
  EXPECT_TRUE(torch::rand({4}).equal(host));
  EXPECT_TRUE(torch::rand({4}, kOnDevice).cpu().equal(first));
}

TEST(PretendedDevice, CountsWhatAStepWouldWaitFor) {
  const torch::Tensor pinned =
      torch::ones({8}, torch::TensorOptions(torch::kFloat32).pinned_memory(true));
  EXPECT_TRUE(pinned.is_pinned());
  EXPECT_TRUE(torch::ones({8}).pin_memory().is_pinned());
  EXPECT_FALSE(torch::ones({8}).is_pinned());

  reset_counts();
  const torch::Tensor sent = pinned.to(torch::kCUDA, /*non_blocking=*/true);
  EXPECT_EQ(counts().bytes_to_device, 32);
  EXPECT_EQ(counts().waits, 0);
  const torch::Tensor halves = sent.view({2, 4}).t();
  EXPECT_EQ(counts().launches, 0);
  const torch::Tensor sum = halves.sum();
  EXPECT_EQ(counts().launches, 1);
  EXPECT_EQ(sum.item<float>(), 8.0F);
  EXPECT_EQ(counts().waits, 1);
  static_cast<void>(torch::ones({8}).to(torch::kCUDA));
  EXPECT_EQ(counts().waits, 2);
  static_cast<void>(sent.cpu());
  EXPECT_EQ(counts().waits, 3);
  EXPECT_EQ(counts().bytes_to_host, 32);
}

}  // namespace
}  // namespace lastbit::pretend
