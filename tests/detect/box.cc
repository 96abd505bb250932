#include "lastbit/detect/box.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "tests/detect/boxes.h"

namespace lastbit {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Whole edges, so that an overlap is a count of cells.
double counted_iou(const Box& a, const Box& b, double extra) {
  const auto inside = [&](const Box& box, double x, double y) {
    return x >= box.left && x < box.right + extra && y >= box.top && y < box.bottom + extra;
  };
  int both = 0;
  int either = 0;
  for (int y = -1; y < 14; ++y) {
    for (int x = -1; x < 14; ++x) {
      both += inside(a, x, y) && inside(b, x, y) ? 1 : 0;
      either += inside(a, x, y) || inside(b, x, y) ? 1 : 0;
    }
  }
  return either == 0 ? 0.0 : static_cast<double>(both) / either;
}

TEST(Iou, OfHandComputedBoxes) {
  const Box a{0, 0, 2, 2};
  EXPECT_EQ(iou(a, a), 1.0);
  EXPECT_EQ(iou(a, {1, 1, 3, 3}), 1.0 / 7.0);
  EXPECT_EQ(iou(a, {2, 0, 4, 2}), 0.0);
  EXPECT_EQ(iou(a, {5, 5, 6, 6}), 0.0);
  EXPECT_EQ(iou(a, {0, 0, 1, 2}), 0.5);
  // With last pixels the first box is 3 x 3, the second too, and 2 x 2 pixels are common.
  EXPECT_EQ(iou(a, {1, 1, 3, 3}, 1.0), 4.0 / 14.0);
  EXPECT_EQ(iou(a, {2, 0, 4, 2}, 1.0), 3.0 / 15.0);
}

TEST(Iou, CountsCells) {
  Random random(1);
  for (int i = 0; i < 3000; ++i) {
    const Box a = random_box(random, 12);
    const Box b = random_box(random, 12);
    for (const double extra : {0.0, 1.0}) {
      // Equal quotients of whole numbers below 2^53 are equal doubles.
      EXPECT_EQ(iou(a, b, extra), counted_iou(a, b, extra));
      EXPECT_EQ(iou(a, b, extra), iou(b, a, extra));
    }
  }
}

TEST(Iou, OfEmptyBoxesIsZero) {
  EXPECT_EQ(iou({1, 1, 1, 5}, {1, 1, 1, 5}), 0.0);
  EXPECT_EQ(iou({5, 5, 1, 1}, {0, 0, 9, 9}), 0.0);
}

TEST(Area, OfABoxTurnedInsideOutIsZero) {
  EXPECT_EQ(area({1, 2, 4, 4}), 6.0);
  EXPECT_EQ(area({1, 2, 4, 4}, 1.0), 12.0);
  EXPECT_EQ(area({4, 4, 1, 2}), 0.0);
  EXPECT_EQ(area({4, 2, 1, 4}), 0.0);
}

TEST(Clipped, StaysInsideAndLosesWhatIsOutside) {
  EXPECT_EQ(clipped({-3, 1, 5, 20}, 4, 10), (Box{0, 1, 4, 10}));
  EXPECT_FALSE(has_area(clipped({11, 1, 15, 3}, 10, 10)));
  EXPECT_FALSE(has_area(clipped({-9, 1, -2, 3}, 10, 10)));
  EXPECT_EQ(clipped({1, 2, 3, 4}, 10, 10), (Box{1, 2, 3, 4}));
}

TEST(HasArea, NeedsFiniteEdgesInOrder) {
  EXPECT_TRUE(has_area({0, 0, 1, 1}));
  for (const Box& bad : {Box{1, 0, 1, 1},
                         Box{0, 1, 1, 1},
                         Box{2, 0, 1, 1},
                         Box{kNan, 0, 1, 1},
                         Box{0, 0, 1, kNan},
                         Box{0, 0, kInfinity, 1},
                         Box{0, -kInfinity, 1, 1}}) {
    EXPECT_FALSE(has_area(bad));
  }
}

}  // namespace
}  // namespace lastbit
