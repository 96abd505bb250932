#include "lastbit/train/gradient_parts.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

namespace lastbit {
namespace {

constexpr std::int64_t kLeast = 65'536;  // elements of 256 KiB

// Parameters one behind the other in the flat gradient.
struct Parameter {
  std::int64_t size;
  std::size_t node;
};

std::vector<GradientPlace> places_of(const std::vector<Parameter>& parameters) {
  std::vector<GradientPlace> result;
  std::int64_t at = 0;
  for (const auto& [size, node] : parameters) {
    result.push_back({.begin = at, .end = at + size, .node = node});
    at += size;
  }
  return result;
}

bool operator==(const GradientPart& a, const GradientPart& b) {
  return a.begin == b.begin && a.end == b.end && a.node == b.node;
}

// Matrices in the order of the graph, then their biases, as in a network in float.
TEST(GradientParts, AreStartedFromTheLastNodeToTheFirst) {
  const auto parts = gradient_parts(
      places_of({{100'000, 0}, {200'000, 2}, {300'000, 4}, {10, 0}, {20, 2}, {30, 4}}));
  ASSERT_EQ(parts.size(), 4U);
  EXPECT_TRUE((parts[0] == GradientPart{.begin = 300'000, .end = 600'000, .node = 4}));
  EXPECT_TRUE((parts[1] == GradientPart{.begin = 100'000, .end = 300'000, .node = 2}));
  EXPECT_TRUE((parts[2] == GradientPart{.begin = 600'000, .end = 600'060, .node = 0}));
  EXPECT_TRUE((parts[3] == GradientPart{.begin = 0, .end = 100'000, .node = 0}));
}

// Low-bit weights lie before the first and the last matrix, which stay in float.
TEST(GradientParts, KeepApartWhatIsCompleteAtOtherTimes) {
  const auto parts = gradient_parts(places_of({{70'000, 1}, {70'000, 2}, {500, 0}, {900, 3}}));
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_TRUE((parts[0] == GradientPart{.begin = 70'000, .end = 140'000, .node = 2}));
  EXPECT_TRUE((parts[1] == GradientPart{.begin = 0, .end = 70'000, .node = 1}));
  EXPECT_TRUE((parts[2] == GradientPart{.begin = 140'000, .end = 141'400, .node = 0}));
}

TEST(GradientParts, OfASmallGradientAreOne) {
  EXPECT_EQ(gradient_parts(places_of({{100, 0}, {200, 1}, {30'000, 2}})).size(), 1U);
  EXPECT_TRUE(gradient_parts({}).empty());
}

// Random networks: their kinds of parameters each in the order of the graph.
TEST(GradientParts, CoverEachElementOnceWhateverTheNetwork) {
  std::mt19937 random(3);
  const auto below = [&](int bound) {
    return std::uniform_int_distribution<int>(0, bound - 1)(random);
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<Parameter> parameters;
    const int kinds = 1 + below(3);
    for (int kind = 0; kind < kinds; ++kind) {
      std::size_t node = 0;
      for (int i = below(40); i >= 0; --i) {
        node += static_cast<std::size_t>(below(3));
        parameters.push_back({1 + below(1 << (1 + below(22))), node});
      }
    }
    std::vector<GradientPlace> places = places_of(parameters);
    const std::int64_t total = places.back().end;
    std::shuffle(places.begin(), places.end(), random);
    std::vector<GradientPart> parts = gradient_parts(places);

    std::int64_t small = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (i > 0) {
        EXPECT_LE(parts[i].node, parts[i - 1].node);
      }
      if (parts[i].end - parts[i].begin < std::max(kLeast, total / 16)) ++small;
      std::size_t first = SIZE_MAX;
      for (const GradientPlace& place : places) {
        if (place.begin >= parts[i].begin && place.end <= parts[i].end) {
          first = std::min(first, place.node);
        }
      }
      EXPECT_EQ(parts[i].node, first);
    }
    EXPECT_LE(small, kinds);
    std::sort(parts.begin(), parts.end(), [](const GradientPart& a, const GradientPart& b) {
      return a.begin < b.begin;
    });
    std::int64_t at = 0;
    for (const GradientPart& part : parts) {
      EXPECT_EQ(part.begin, at);
      at = part.end;
    }
    EXPECT_EQ(at, total);
  }
}

}  // namespace
}  // namespace lastbit
