#include "lastbit/train/gradient_clip.h"

#include <limits>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "support.h"

namespace lastbit {
namespace {

TEST(GradientClip, BringsALongGradientToTheGivenNormAndKeepsItsDirection) {
  torch::Tensor gradient = torch::tensor({3.0F, 0.0F, -4.0F});
  clip_gradient(gradient, 2.5);
  EXPECT_EQ(vector_of(gradient), (std::vector<float>{1.5F, 0.0F, -2.0F}));
}

TEST(GradientClip, LeavesAShortGradientBitForBit) {
  torch::manual_seed(1);
  torch::Tensor gradient = torch::randn({1000}) / 100.0;
  const std::vector<float> before = vector_of(gradient);
  clip_gradient(gradient, 1.0);
  EXPECT_EQ(vector_of(gradient), before);
  gradient = torch::tensor({3.0F, 4.0F});
  clip_gradient(gradient, 5.0);
  EXPECT_EQ(vector_of(gradient), (std::vector<float>{3.0F, 4.0F}));
  gradient.zero_();
  clip_gradient(gradient, 5.0);
  EXPECT_EQ(vector_of(gradient), (std::vector<float>{0.0F, 0.0F}));
}

TEST(GradientClip, SumsMoreThanFloatHolds) {
  torch::Tensor gradient = torch::full({4}, 1e30F);
  clip_gradient(gradient, 1.0);
  for (const float value : vector_of(gradient)) EXPECT_FLOAT_EQ(value, 0.5F);
}

TEST(GradientClip, DoesNotHideWhatIsNotFinite) {
  torch::Tensor gradient = torch::tensor({1.0F, std::numeric_limits<float>::quiet_NaN()});
  clip_gradient(gradient, 1.0);
  EXPECT_TRUE(torch::isnan(gradient).any().item<bool>());
}

TEST(GradientClip, RefusesANormThatIsNotPositive) {
  torch::Tensor gradient = torch::ones({2});
  EXPECT_EQ(message_of<InputError>([&] { clip_gradient(gradient, 0.0); }),
            "[clip] 0 is no norm to clip to, expected a positive number");
}

}  // namespace
}  // namespace lastbit
