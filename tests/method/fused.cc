#include "lastbit/method/fused.h"

#include <cmath>
#include <cstddef>
#include <vector>

#include <gtest/gtest.h>

#include "support.h"

namespace lastbit {
namespace {

// Around the widths of vectors, none at all, and more than a page.
class OfSize : public testing::TestWithParam<std::size_t> {};

TEST_P(OfSize, AddPullAgreesWithALoopInDouble) {
  const std::vector<float> g = random_values(GetParam(), 1);
  const std::vector<float> w = random_values(GetParam(), 2);
  const std::vector<float> z = random_values(GetParam(), 3);
  // torch::tensor of an empty vector has no type of float.
  torch::Tensor gradient = torch::empty({static_cast<std::int64_t>(g.size())});
  torch::Tensor value = torch::empty_like(gradient);
  torch::Tensor target = torch::empty_like(gradient);
  std::copy(g.begin(), g.end(), gradient.data_ptr<float>());
  std::copy(w.begin(), w.end(), value.data_ptr<float>());
  std::copy(z.begin(), z.end(), target.data_ptr<float>());
  constexpr double kStrength = 0.37;
  add_pull(gradient, value, target, kStrength);
  const std::vector<float> result = vector_of(gradient);
  for (std::size_t i = 0; i < g.size(); ++i) {
    const double gap = static_cast<double>(w[i]) - z[i];
    // The strength, the difference, the product and the sum are rounded once each.
    const double tolerance =
        kRounding * (3.0 * kStrength * std::abs(gap) + std::abs(g[i]) + kStrength * std::abs(gap));
    ASSERT_NEAR(result[i], g[i] + kStrength * gap, 1.01 * tolerance) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Fused, OfSize, testing::Values(0U, 1U, 3U, 15U, 16U, 17U, 1000U, 100003U));

TEST(AddPull, WorksOnASliceAndLeavesTheRestAlone) {
  torch::Tensor all = torch::zeros({10});
  torch::Tensor gradient = all.narrow(0, 3, 4);
  add_pull(gradient, torch::ones({4}), torch::zeros({4}), 2.0);
  EXPECT_EQ(vector_of(all), (std::vector<float>{0, 0, 0, 2, 2, 2, 2, 0, 0, 0}));
}

TEST(SaveAndStep, SavesTheValueAndMovesItAgainstTheGradient) {
  for (const std::int64_t size : {0, 1, 3, 15, 16, 17, 1000}) {
    SCOPED_TRACE(size);
    const torch::Tensor before = torch::arange(size, torch::kFloat32);
    const torch::Tensor gradient = torch::full({size}, 3.0F);
    torch::Tensor value = before.clone();
    torch::Tensor saved = torch::empty_like(value);
    save_and_step(value, saved, gradient, 0.5);
    EXPECT_TRUE(torch::equal(saved, before));
    EXPECT_TRUE(torch::equal(value, before - 1.5F));
  }
}

TEST(Blend, MovesFromOneTensorTowardTheOther) {
  for (const std::int64_t size : {0, 1, 3, 15, 16, 17, 1000}) {
    SCOPED_TRACE(size);
    const torch::Tensor from = torch::arange(size, torch::kFloat32);
    torch::Tensor value = from + 8.0F;
    blend(value, from, 0.25);
    EXPECT_TRUE(torch::equal(value, from + 2.0F));
  }
}

}  // namespace
}  // namespace lastbit
