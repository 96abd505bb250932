#include "lastbit/detect/suppress.h"

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "tests/detect/boxes.h"

namespace lastbit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::int32_t> kept(const std::vector<Box>& boxes,
                               const std::vector<float>& scores,
                               const SuppressionLimits& limits) {
  std::vector<std::int32_t> order(boxes.size());
  order.resize(suppress(boxes, scores, limits, order));
  return order;
}

// Strikes out, again and again: the best box that is left stays, and strikes out its neighbours.
std::vector<std::int32_t> kept_by_striking_out(const std::vector<Box>& boxes,
                                               const std::vector<float>& scores,
                                               double max_iou) {
  std::vector<bool> left(boxes.size(), true);
  std::vector<std::int32_t> stay;
  while (true) {
    std::size_t best = boxes.size();
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      if (left[i] && (best == boxes.size() || scores[i] > scores[best])) best = i;
    }
    if (best == boxes.size()) return stay;
    stay.push_back(static_cast<std::int32_t>(best));
    left[best] = false;
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      if (left[i] && iou(boxes[best], boxes[i]) > max_iou) left[i] = false;
    }
  }
}

TEST(Suppress, KeepsTheBestOfNeighbours) {
  const std::vector<Box> boxes = {{0, 0, 4, 4}, {0, 0, 4, 3}, {9, 9, 12, 12}, {0, 0, 4, 4}};
  const std::vector<float> scores = {0.5F, 0.9F, 0.3F, 0.5F};
  EXPECT_THAT(kept(boxes, scores, {.max_iou = 0.5}), ElementsAre(1, 2));
  // An overlap of exactly the limit stays.
  EXPECT_THAT(kept(boxes, scores, {.max_iou = 0.75}), ElementsAre(1, 0, 2));
  EXPECT_THAT(kept(boxes, scores, {.max_iou = 1.0}), ElementsAre(1, 0, 3, 2));
  EXPECT_THAT(kept(boxes, scores, {.max_iou = 0.5, .min_score = 0.3F}), ElementsAre(1));
  EXPECT_THAT(kept(boxes, scores, {.max_iou = 0.75, .candidates = 2}), ElementsAre(1, 0));
  EXPECT_THAT(kept(boxes, scores, {.max_iou = 0.75, .most = 1}), ElementsAre(1));
  EXPECT_THAT(kept(boxes, scores, {.most = 0}), IsEmpty());
  EXPECT_THAT(kept({}, {}, {}), IsEmpty());
}

TEST(Suppress, IsThatOfStrikingOut) {
  Random random(8);
  for (int round = 0; round < 300; ++round) {
    std::vector<Box> boxes(random.below(40));
    for (Box& box : boxes) box = random_box(random, 8);
    std::vector<float> scores(boxes.size());
    for (float& score : scores) score = static_cast<float>(random.below(10));
    const double max_iou = random.uniform();
    const std::vector<std::int32_t> expected = kept_by_striking_out(boxes, scores, max_iou);
    EXPECT_EQ(kept(boxes, scores, {.max_iou = max_iou}), expected);
    const std::size_t most = random.below(5);
    EXPECT_EQ(kept(boxes, scores, {.max_iou = max_iou, .most = most}),
              std::vector(expected.begin(),
                          expected.begin() + static_cast<int>(std::min(most, expected.size()))));
  }
}

TEST(Suppress, PassesOverScoresThatAreNan) {
  EXPECT_THAT(kept({{0, 0, 1, 1}, {3, 3, 4, 4}, {6, 6, 7, 7}}, {NAN, 1.0F, NAN}, {}),
              ElementsAre(1));
}

TEST(FindDetections, SuppressesEachClassAlone) {
  const std::vector<Box> boxes = {{0, 0, 4, 4}, {0, 0, 4, 3}, {9, 9, 12, 12}};
  const std::vector<float> scores = {0.1F,
                                     0.6F,
                                     0.3F,  //
                                     0.1F,
                                     0.2F,
                                     0.7F,  //
                                     0.985F,
                                     0.01F,
                                     0.005F};  // neither is more than 0.01
  EXPECT_THAT(find_detections(boxes, scores, {}),
              ElementsAre(Detection{boxes[1], 1, 0.7F}, Detection{boxes[0], 0, 0.6F}));
  EXPECT_THAT(find_detections(boxes, scores, {.max_iou = 0.8}).size(), 4U);
  EXPECT_THAT(find_detections(boxes, scores, {.most = 1}),
              ElementsAre(Detection{boxes[1], 1, 0.7F}));
  EXPECT_THAT(find_detections({}, {}, {}), IsEmpty());
}

TEST(FindDetections, RefusesScoresOfAnotherShape) {
  const std::vector<Box> boxes(3, Box{0, 0, 1, 1});
  EXPECT_THROW(find_detections(boxes, std::vector<float>(7), {}), InputError);
  EXPECT_THROW(find_detections(boxes, std::vector<float>(3), {}), InputError);
  EXPECT_THROW(find_detections({}, std::vector<float>(3), {}), InputError);
}

}  // namespace
}  // namespace lastbit
