#include "lastbit/train/multibox.h"

#include <array>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>
#include <torch/cuda.h>
#include <torch/types.h>

#include "lastbit/base/random.h"
#include "lastbit/detect/match.h"

namespace lastbit {
namespace {

/// Outputs of a detector and what they are compared with, in double precision.
struct Case {
  std::int64_t batch = 3;
  std::int64_t priors = 40;
  std::int64_t classes = 4;
  torch::Tensor offsets, logits, labels;
};

// @param chance  that a prior has a truth; of the first image none has.
Case random_case(std::uint64_t seed, double chance, bool first_is_empty = true) {
  Case c;
  Random random(seed);
  const auto uniform = [&](std::vector<std::int64_t> shape) {
    torch::Tensor tensor = torch::empty(shape, torch::kFloat64);
    for (std::int64_t i = 0; i < tensor.numel(); ++i) {
      tensor.data_ptr<double>()[i] = random.uniform(-2.0, 2.0);
    }
    return tensor;
  };
  c.offsets = uniform({c.batch, c.priors, 4});
  c.logits = uniform({c.batch, c.priors, c.classes + 1});
  c.labels = uniform({c.batch, c.priors, 5});
  for (std::int64_t b = 0; b < c.batch; ++b) {
    for (std::int64_t p = 0; p < c.priors; ++p) {
      const bool has = random.uniform() < chance && !(first_is_empty && b == 0);
      const auto label =
          static_cast<double>(1 + random.below(static_cast<std::uint64_t>(c.classes)));
      c.labels[b][p][4] = has ? label : 0.0;
    }
  }
  return c;
}

struct Plain {
  double location = 0.0;
  double confidence = 0.0;
  std::int64_t matched = 0;
  double misses = 0.0;
};

// Prior by prior, in the words of the paper, with the mining of lastbit/detect.
Plain plainly(const Case& c, double ratio) {
  Plain sums;
  const auto logits = c.logits.accessor<double, 3>();
  const auto offsets = c.offsets.accessor<double, 3>();
  const auto labels = c.labels.accessor<double, 3>();
  for (std::int64_t b = 0; b < c.batch; ++b) {
    std::vector<float> losses;
    std::vector<std::int32_t> matches;
    const auto cross_entropy = [&](std::int64_t p, std::int64_t label) {
      double sum = 0.0;
      for (std::int64_t k = 0; k <= c.classes; ++k) sum += std::exp(logits[b][p][k]);
      return std::log(sum) - logits[b][p][label];
    };
    std::int64_t positives = 0;
    std::int64_t wrong = 0;
    for (std::int64_t p = 0; p < c.priors; ++p) {
      const auto label = static_cast<std::int64_t>(labels[b][p][4]);
      losses.push_back(static_cast<float>(cross_entropy(p, 0)));
      matches.push_back(label > 0 ? 0 : kNoTruth);
      if (label == 0) continue;
      ++positives;
      for (int k = 0; k < 4; ++k) {
        const double away = std::abs(offsets[b][p][k] - labels[b][p][k]);
        sums.location += away < 1.0 ? 0.5 * away * away : away - 0.5;
      }
      for (std::int64_t k = 0; k <= c.classes; ++k) {
        if (logits[b][p][k] > logits[b][p][label]) {
          ++wrong;
          break;
        }
      }
    }
    sums.matched += positives;
    if (positives > 0) sums.misses += static_cast<double>(wrong) / static_cast<double>(positives);
    const std::vector<std::uint8_t> counts = mine_hard_negatives(losses, matches, ratio);
    for (std::int64_t p = 0; p < c.priors; ++p) {
      if (counts[static_cast<std::size_t>(p)] == 0) continue;
      sums.confidence += cross_entropy(p, static_cast<std::int64_t>(labels[b][p][4]));
    }
  }
  return sums;
}

void expect_plain(const Case& c, double ratio) {
  const Plain expected = plainly(c, ratio);
  const MultiboxSums sums = multibox_sums(c.offsets, c.logits, c.labels, ratio);
  EXPECT_EQ(sums.matched.item<std::int64_t>(), expected.matched);
  EXPECT_NEAR(sums.location.item<double>(), expected.location, 1e-11);
  EXPECT_NEAR(sums.confidence.item<double>(), expected.confidence, 1e-11);
  EXPECT_NEAR(sums.misses.item<double>(), expected.misses, 1e-13);
  const double matched = std::max<double>(1.0, static_cast<double>(expected.matched));
  EXPECT_NEAR(
      sums.loss().item<double>(), (expected.location + expected.confidence) / matched, 1e-11);
}

TEST(Multibox, IsThatOfThePaper) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    expect_plain(random_case(seed, seed % 2 == 0 ? 0.1 : 0.4), 3.0);
    expect_plain(random_case(seed, 0.2), 0.5);
    expect_plain(random_case(seed, 0.1), 0.0);
  }
}

TEST(Multibox, IsNothingWherePriorsHaveNoTruth) {
  Case c = random_case(1, 0.0);
  expect_plain(c, 3.0);
  c.offsets.set_requires_grad(true);
  c.logits.set_requires_grad(true);
  const torch::Tensor loss = multibox_sums(c.offsets, c.logits, c.labels).loss();
  EXPECT_EQ(loss.item<double>(), 0.0);
  loss.backward();
  EXPECT_EQ(c.offsets.grad().abs().max().item<double>(), 0.0);
  EXPECT_EQ(c.logits.grad().abs().max().item<double>(), 0.0);
}

TEST(Multibox, CountsAllWhereEveryPriorHasATruth) {
  const Case c = random_case(2, 1.1, /*first_is_empty=*/false);
  EXPECT_EQ(multibox_sums(c.offsets, c.logits, c.labels).matched.item<std::int64_t>(), 3 * 40);
  expect_plain(c, 3.0);
}

TEST(Multibox, TakesTheFirstAmongEqualNegatives) {
  Case c = random_case(3, 0.0);
  c.logits.zero_();
  c.labels[1][7][4] = 2.0;
  c.logits.set_requires_grad(true);
  multibox_sums(c.offsets, c.logits, c.labels).confidence.backward();
  const torch::Tensor touched = c.logits.grad().abs().sum(2).gt(0);
  EXPECT_EQ(touched.sum().item<std::int64_t>(), 4);
  for (const int prior : {0, 1, 2, 7}) EXPECT_TRUE(touched[1][prior].item<bool>()) << prior;
}

// Central differences of f(x) = loss, whose third derivatives are below 1 a prior: with steps of
// 1e-5 the error is about 1e-10, and rounding adds 1e-16 / 1e-5.
TEST(Multibox, HasTheGradientThatItsDifferencesShow) {
  Case c = random_case(4, 0.3);
  c.offsets.set_requires_grad(true);
  c.logits.set_requires_grad(true);
  multibox_sums(c.offsets, c.logits, c.labels).loss().backward();
  Random random(5);
  for (const torch::Tensor& input : {c.offsets, c.logits}) {
    const torch::Tensor gradient = input.grad();
    const torch::NoGradGuard no_gradient;
    int nonzero = 0;
    for (int i = 0; i < 200; ++i) {
      const auto at =
          static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(input.numel())));
      double& value = input.data_ptr<double>()[at];
      const double kept = value;
      constexpr double kStep = 1e-5;
      const auto loss_at = [&](double x) {
        value = x;
        return multibox_sums(c.offsets, c.logits, c.labels).loss().item<double>();
      };
      const double slope = (loss_at(kept + kStep) - loss_at(kept - kStep)) / (2 * kStep);
      value = kept;
      EXPECT_NEAR(gradient.data_ptr<double>()[at], slope, 1e-8) << at;
      nonzero += slope != 0.0 ? 1 : 0;
    }
    EXPECT_GT(nonzero, 20);
  }
}

TEST(Multibox, IsTheSameOnAGpu) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "needs a GPU";
  Case here = random_case(6, 0.3);
  Case there = here;
  here.offsets.set_requires_grad(true);
  here.logits.set_requires_grad(true);
  there.offsets = here.offsets.detach().to(torch::kCUDA).set_requires_grad(true);
  there.logits = here.logits.detach().to(torch::kCUDA).set_requires_grad(true);
  there.labels = here.labels.to(torch::kCUDA);
  const torch::Tensor expected = multibox_sums(here.offsets, here.logits, here.labels).loss();
  const torch::Tensor found = multibox_sums(there.offsets, there.logits, there.labels).loss();
  EXPECT_TRUE(found.is_cuda());
  EXPECT_NEAR(found.item<double>(), expected.item<double>(), 1e-9);
  expected.backward();
  found.backward();
  EXPECT_TRUE(there.offsets.grad().cpu().allclose(here.offsets.grad()));
  EXPECT_TRUE(there.logits.grad().cpu().allclose(here.logits.grad()));
}

}  // namespace
}  // namespace lastbit
