#include "lastbit/detect/selection_check.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "tests/detect/boxes.h"

namespace lastbit {
namespace {

struct Case {
  std::vector<Box> boxes;
  std::vector<float> scores;
  SuppressionLimits limits;

  std::vector<std::int32_t> selected() const {
    std::vector<std::int32_t> order(boxes.size());
    order.resize(suppress(boxes, scores, limits, order));
    return order;
  }
  std::int64_t wrong(const std::vector<std::int32_t>& selection, double slack = 0.0) const {
    return wrong_selections(boxes, scores, selection, limits, slack);
  }
};

Case random_case(Random& random) {
  Case one;
  const std::uint64_t count = 1 + random.below(30);
  for (std::uint64_t i = 0; i < count; ++i) {
    one.boxes.push_back(random_box(random, 8));
    one.scores.push_back(static_cast<float>(i + 1) / 32.0F);  // no two the same
  }
  for (std::size_t i = count; i > 1; --i) std::swap(one.scores[i - 1], one.scores[random.below(i)]);
  one.limits = {.max_iou = random.uniform(), .min_score = 0.2F, .most = 1 + random.below(10)};
  return one;
}

// Suppression has one answer where no two scores are the same.
TEST(SelectionCheck, TakesWhatSuppressionSelectsAndNothingElse) {
  Random random(1);
  for (int round = 0; round < 500; ++round) {
    const Case one = random_case(random);
    const std::vector<std::int32_t> selected = one.selected();
    EXPECT_EQ(one.wrong(selected), 0);
    for (std::size_t at = 0; at < selected.size(); ++at) {
      std::vector<std::int32_t> other = selected;
      other.erase(other.begin() + static_cast<std::ptrdiff_t>(at));
      EXPECT_GT(one.wrong(other), 0) << "one is missing";
      if (at > 0) {
        other = selected;
        std::swap(other[at - 1], other[at]);
        EXPECT_GT(one.wrong(other), 0) << "two are in the wrong order";
      }
    }
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(one.boxes.size()); ++i) {
      std::vector<std::int32_t> other = selected;
      const auto place = std::ranges::find_if(
          other, [&](std::int32_t k) { return one.scores[k] <= one.scores[i]; });
      other.insert(place, i);
      EXPECT_GT(one.wrong(other), 0) << "one too many, or one twice";
    }
  }
}

TEST(SelectionCheck, LetsNearTiesGoEitherWay) {
  const Case scores{.boxes = {{0, 0, 4, 4}, {0, 0, 4, 3.5F}},
                    .scores = {0.5F, 0.500001F},
                    .limits = {.max_iou = 0.5}};
  EXPECT_EQ(scores.selected(), (std::vector<std::int32_t>{1}));
  EXPECT_EQ(scores.wrong({0}), 1);
  EXPECT_EQ(scores.wrong({0}, 1e-5), 0);
  EXPECT_EQ(scores.wrong({1}, 1e-5), 0);
  EXPECT_GT(scores.wrong({0, 1}, 1e-5), 0);
  EXPECT_GT(scores.wrong({}, 1e-5), 0);
  const Case overlap{.boxes = {{0, 0, 4, 4}, {0, 0, 4, 2.00001F}},
                     .scores = {0.9F, 0.5F},
                     .limits = {.max_iou = 0.5}};
  EXPECT_EQ(overlap.wrong({0, 1}), 1);
  EXPECT_EQ(overlap.wrong({0, 1}, 1e-5), 0);
  EXPECT_EQ(overlap.wrong({0}, 1e-5), 0);
  const Case least{.boxes = {{0, 0, 4, 4}},
                   .scores = {0.1000001F},
                   .limits = {.max_iou = 0.5, .min_score = 0.1F}};
  EXPECT_EQ(least.wrong({}), 1);
  EXPECT_EQ(least.wrong({}, 1e-5), 0);
  EXPECT_EQ(least.wrong({0}, 1e-5), 0);
}

}  // namespace
}  // namespace lastbit
