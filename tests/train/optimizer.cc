#include "lastbit/train/optimizer.h"

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <torch/optim.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/train/tensor_steps.h"
#include "support.h"

namespace lastbit {
namespace {

constexpr std::int64_t kSize = 1003;
constexpr std::int64_t kDecayed = 600;
constexpr int kSteps = 20;

torch::Tensor draws(std::uint64_t seed) {
  Random random(seed);
  torch::Tensor tensor = torch::empty({kSize});
  for (std::int64_t i = 0; i < kSize; ++i) {
    tensor.data_ptr<float>()[i] = static_cast<float>(random.normal());
  }
  return tensor;
}

// Runs ours in float32 and LibTorch's in double on the same gradients; decay is for the first part
// of ours, so LibTorch gets two groups.
template <typename Theirs, typename Options>
void expect_agreement(const OptimizerOptions& options, Options theirs, double tolerance) {
  torch::Tensor w = draws(1);
  torch::Tensor g = torch::zeros({kSize});
  torch::Tensor matrices = w.narrow(0, 0, kDecayed).to(torch::kFloat64).requires_grad_();
  torch::Tensor others =
      w.narrow(0, kDecayed, kSize - kDecayed).to(torch::kFloat64).requires_grad_();
  const auto ours = make_optimizer(options, w, g, kDecayed);
  Options plain = theirs;
  Theirs first(std::vector<torch::Tensor>{matrices}, theirs.weight_decay(options.weight_decay));
  Theirs second(std::vector<torch::Tensor>{others}, plain.weight_decay(0.0));
  for (int step = 0; step < kSteps; ++step) {
    g.copy_(draws(100 + static_cast<std::uint64_t>(step)));
    matrices.mutable_grad() = g.narrow(0, 0, kDecayed).to(torch::kFloat64);
    others.mutable_grad() = g.narrow(0, kDecayed, kSize - kDecayed).to(torch::kFloat64);
    ours->step(0.05);
    first.step();
    second.step();
    const torch::NoGradGuard no_gradient;
    const torch::Tensor expected = torch::cat({matrices, others});
    const double gap = (w.to(torch::kFloat64) - expected).abs().max().item<double>();
    ASSERT_LE(gap, tolerance * (step + 1)) << "after step " << step + 1;
  }
}

// Weights stay below 16, where a rounding is 2^-21; a step rounds the weight once at that size and
// the velocity (below 32, times the rate 0.05) a few times.
constexpr double kSgdTolerance = 4 * 0x1p-21;

TEST(Sgd, WithoutMomentumFollowsLibTorch) {
  expect_agreement<torch::optim::SGD>(
      {.momentum = 0.0, .nesterov = false}, torch::optim::SGDOptions(0.05), kSgdTolerance);
}

TEST(Sgd, WithMomentumFollowsLibTorch) {
  expect_agreement<torch::optim::SGD>({.momentum = 0.9, .nesterov = false},
                                      torch::optim::SGDOptions(0.05).momentum(0.9),
                                      kSgdTolerance);
}

TEST(Sgd, OfNesterovFollowsLibTorch) {
  expect_agreement<torch::optim::SGD>({.momentum = 0.9, .nesterov = true},
                                      torch::optim::SGDOptions(0.05).momentum(0.9).nesterov(true),
                                      kSgdTolerance);
}

TEST(Sgd, WithWeightDecayFollowsLibTorch) {
  expect_agreement<torch::optim::SGD>({.momentum = 0.9, .nesterov = true, .weight_decay = 0.3},
                                      torch::optim::SGDOptions(0.05).momentum(0.9).nesterov(true),
                                      kSgdTolerance);
}

// A step moves a weight by the rate times mean / root, both rounded a few times relative to their
// size; their quotient is below 10 in 20 steps.
constexpr double kAdamTolerance = 0x1p-21 + 8 * 0.05 * 10 * 0x1p-24;

TEST(Adam, FollowsLibTorch) {
  expect_agreement<torch::optim::Adam>(
      {.name = "adam"}, torch::optim::AdamOptions(0.05), kAdamTolerance);
}

TEST(Adam, WithOtherOptionsFollowsLibTorch) {
  expect_agreement<torch::optim::Adam>(
      {.name = "adam", .beta1 = 0.5, .beta2 = 0.9, .epsilon = 0.01, .weight_decay = 0.3},
      torch::optim::AdamOptions(0.05).betas({0.5, 0.9}).eps(0.01),
      kAdamTolerance);
}

TEST(Adam, FirstStepIsTheRateTimesTheSign) {
  torch::Tensor w = torch::zeros({3});
  torch::Tensor g = torch::tensor({2.0F, -0.001F, 300.0F});
  make_optimizer({.name = "adam"}, w, g, 3)->step(0.25);
  // epsilon is 1e-5 of the smallest gradient.
  EXPECT_NEAR(w[0].item<double>(), -0.25, 1e-6);
  EXPECT_NEAR(w[1].item<double>(), 0.25, 1e-5);
  EXPECT_NEAR(w[2].item<double>(), -0.25, 1e-6);
}

class EveryOptimizer : public testing::TestWithParam<std::string> {};

TEST_P(EveryOptimizer, DecaysTheFirstPartAlone) {
  torch::Tensor w = torch::ones({6});
  torch::Tensor g = torch::zeros({6});
  make_optimizer({.name = GetParam(), .weight_decay = 0.5}, w, g, 4)->step(0.1);
  const std::vector<float> result = vector_of(w);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(result[i] < 1.0F, i < 4) << i;
  }
}

TEST_P(EveryOptimizer, MovesByItsStepSizeInTheLongRun) {
  for (const bool nesterov : {false, true}) {
    torch::Tensor w = torch::zeros({1});
    const auto optimizer =
        make_optimizer({.name = GetParam(), .nesterov = nesterov}, w, torch::ones({1}), 1);
    for (int step = 0; step < 300; ++step) optimizer->step(0x1p-6);
    const double before = w.item<double>();
    optimizer->step(0x1p-6);
    // 0.9^300 of the momentum is missing; a weight below 64 is rounded to 2^-19.
    EXPECT_NEAR(before - w.item<double>(), optimizer->step_size(0x1p-6), 2 * 0x1p-19);
  }
}

TEST_P(EveryOptimizer, AtRateZeroStays) {
  torch::Tensor w = draws(1);
  make_optimizer({.name = GetParam(), .weight_decay = 0.1}, w, draws(2), kSize)->step(0.0);
  EXPECT_EQ(vector_of(w), vector_of(draws(1)));
}

// Steps on gradients drawn from `seed` on.
void run(Optimizer& optimizer, torch::Tensor& g, std::uint64_t seed) {
  for (std::uint64_t step = 0; step < 5; ++step) {
    g.copy_(draws(seed + step));
    optimizer.step(0.05);
  }
}

TEST_P(EveryOptimizer, IsAsNewAfterAReset) {
  torch::Tensor w = draws(1);
  torch::Tensor g = torch::zeros({kSize});
  const auto used = make_optimizer({.name = GetParam()}, w, g, kSize);
  run(*used, g, 10);
  used->reset();
  w.copy_(draws(1));
  run(*used, g, 20);

  torch::Tensor other = draws(1);
  const auto fresh = make_optimizer({.name = GetParam()}, other, g, kSize);
  run(*fresh, g, 20);
  EXPECT_EQ(vector_of(w), vector_of(other));
}

TEST_P(EveryOptimizer, GoesOnFromItsStateBitForBit) {
  torch::Tensor w = draws(1);
  torch::Tensor g = torch::zeros({kSize});
  const auto first = make_optimizer({.name = GetParam()}, w, g, kSize);
  run(*first, g, 10);
  const auto state = first->state();
  torch::Tensor other = w.clone();
  run(*first, g, 20);

  const auto second = make_optimizer({.name = GetParam()}, other, g, kSize);
  second->load(state);
  run(*second, g, 20);
  EXPECT_EQ(vector_of(w), vector_of(other));
}

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const OptimizerInfo& info : optimizers()) result.emplace_back(info.name);
  return result;
}
INSTANTIATE_TEST_SUITE_P(Train,
                         EveryOptimizer,
                         testing::ValuesIn(names()),
                         [](const auto& parameter) { return parameter.param; });

std::string refusal(const OptimizerOptions& options) {
  return message_of<InputError>(
      [&] { make_optimizer(options, torch::zeros({1}), torch::zeros({1}), 1); });
}

TEST(Optimizer, NamesTheOptionThatIsOutOfRange) {
  EXPECT_EQ(refusal({.momentum = 1.0}), "[optimizer] momentum is 1, expected 0 <= momentum < 1");
  EXPECT_EQ(refusal({.momentum = -0.1}),
            "[optimizer] momentum is -0.1, expected 0 <= momentum < 1");
  EXPECT_EQ(refusal({.momentum = std::nan("")}),
            "[optimizer] momentum is nan, expected 0 <= momentum < 1");
  EXPECT_EQ(refusal({.beta1 = 1.0}), "[optimizer] beta1 is 1, expected 0 <= beta1 < 1");
  EXPECT_EQ(refusal({.beta2 = -1.0}), "[optimizer] beta2 is -1, expected 0 <= beta2 < 1");
  EXPECT_EQ(refusal({.epsilon = 0.0}), "[optimizer] epsilon is 0, expected a positive number");
  EXPECT_EQ(refusal({.epsilon = std::numeric_limits<double>::infinity()}),
            "[optimizer] epsilon is inf, expected a positive number");
  EXPECT_EQ(refusal({.weight_decay = -1e-4}),
            "[optimizer] weight decay is -0.0001, expected a number not below 0");
  EXPECT_EQ(refusal({.weight_decay = std::nan("")}),
            "[optimizer] weight decay is nan, expected a number not below 0");
}

TEST(Optimizer, ListsTheKnownNames) {
  EXPECT_EQ(refusal({.name = "lbfgs"}),
            "[optimizer] 'lbfgs' is not known, expected one of: sgd, adam");
}

// Where the parameters are on another device the same step is made of calls on tensors.
TEST(TensorSteps, AreTheLoopsOfTheProcessor) {
  for (const bool nesterov : {false, true}) {
    for (const double decay : {0.0, 0.3}) {
      SCOPED_TRACE(cat("nesterov ", nesterov, ", decay ", decay));
      torch::Tensor w = draws(1);
      torch::Tensor g = torch::zeros({kSize});
      const auto loop = make_optimizer(
          {.momentum = 0.9, .nesterov = nesterov, .weight_decay = decay}, w, g, kSize);
      torch::Tensor by_calls = w.clone();
      torch::Tensor velocity = torch::zeros({kSize});
      for (int step = 0; step < kSteps; ++step) {
        g.copy_(draws(100 + static_cast<std::uint64_t>(step)));
        const torch::Tensor before = g.clone();
        loop->step(0.05);
        take_step(by_calls,
                  g,
                  velocity,
                  SgdStep{.rate = 0.05, .momentum = 0.9, .nesterov = nesterov, .decay = decay});
        EXPECT_TRUE(g.equal(before)) << "gradients are read alone";
        ASSERT_LE((w - by_calls).abs().max().item<double>(), kSgdTolerance * (step + 1));
      }
      EXPECT_LE((velocity - loop->state().at("velocity")).abs().max().item<double>(),
                kSteps * 4 * 0x1p-19);
    }
  }
}

TEST(TensorSteps, OfAdamAreTheLoopsOfTheProcessor) {
  torch::Tensor w = draws(1);
  torch::Tensor g = torch::zeros({kSize});
  const OptimizerOptions options{.name = "adam", .weight_decay = 0.3};
  const auto loop = make_optimizer(options, w, g, kSize);
  torch::Tensor by_calls = w.clone();
  torch::Tensor mean = torch::zeros({kSize});
  torch::Tensor square = torch::zeros({kSize});
  for (int step = 1; step <= kSteps; ++step) {
    g.copy_(draws(100 + static_cast<std::uint64_t>(step)));
    loop->step(0.01);
    take_step(by_calls,
              g,
              mean,
              square,
              AdamStep{.rate = 0.01 / (1.0 - std::pow(options.beta1, step)),
                       .beta1 = options.beta1,
                       .beta2 = options.beta2,
                       .root_correction = 1.0 / std::sqrt(1.0 - std::pow(options.beta2, step)),
                       .epsilon = options.epsilon,
                       .decay = options.weight_decay});
    ASSERT_LE((w - by_calls).abs().max().item<double>(), kSgdTolerance * step);
  }
}

}  // namespace
}  // namespace lastbit
