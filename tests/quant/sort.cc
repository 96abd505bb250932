#include "lastbit/quant/sort.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "magnitudes.h"

namespace lastbit {
namespace {

TEST(SortFloats, AgreesWithTheStandardSort) {
  for (int kind = 0; kind < 4; ++kind) {
    for (const std::size_t count : {0, 1, 2, 16, 17, 60, 399, 400, 401, 5000, 70000}) {
      SCOPED_TRACE(testing::Message() << "kind " << kind << ", count " << count);
      const auto expected = magnitudes_of_kind(kind, count, 5);
      auto values = expected;
      Random random(6);
      random.shuffle(std::span(values));
      std::vector<float> scratch(count);
      auto again = values;
      const auto sorted = sort_floats(values, scratch);
      EXPECT_TRUE(std::equal(sorted.begin(), sorted.end(), expected.begin(), expected.end()));
      const auto by_two = sort_many_floats(again, scratch);
      EXPECT_TRUE(std::equal(by_two.begin(), by_two.end(), expected.begin(), expected.end()));
    }
  }
}

// As few values are that a threshold of each step leaves over: close together around some places.
TEST(SortFloats, OrdersFewValuesInCrowds) {
  Random random(8);
  for (int trial = 0; trial < 200; ++trial) {
    const double spread = std::pow(10.0, -8.0 * random.uniform());
    std::vector<float> values(17 + random.below(380));
    for (float& value : values) {
      constexpr std::array<double, 4> kPlaces = {-2.0, 0.0, 0.75, 3.0};
      value = static_cast<float>(kPlaces[random.below(4)] + spread * random.uniform());
    }
    auto expected = values;
    std::sort(expected.begin(), expected.end());
    std::vector<float> scratch(values.size());
    const auto sorted = sort_floats(values, scratch);
    ASSERT_TRUE(std::equal(sorted.begin(), sorted.end(), expected.begin(), expected.end()))
        << "trial " << trial;
  }
}

TEST(SortFloats, OrdersDenormalAndHugeNumbers) {
  std::vector<float> values;
  for (int i = 0; i < 500; ++i) {
    values.push_back(std::numeric_limits<float>::max() / static_cast<float>(1 + i % 7));
    values.push_back(std::numeric_limits<float>::denorm_min() * static_cast<float>(i % 5));
  }
  auto expected = values;
  std::sort(expected.begin(), expected.end());
  std::vector<float> scratch(values.size());
  const auto sorted = sort_floats(values, scratch);
  EXPECT_TRUE(std::equal(sorted.begin(), sorted.end(), expected.begin(), expected.end()));
}

}  // namespace
}  // namespace lastbit
