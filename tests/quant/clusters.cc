#include "lastbit/quant/clusters.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"

namespace lastbit {
namespace {

struct Data {
  std::vector<float> values;
  std::vector<float> importance;  // empty: all 1
};

// Normal; few distinct values; of widely different sizes; far from zero, in clusters; symmetric, so
// that optima come in pairs; evenly spaced, so that many clusterings are nearly as good.
constexpr int kKinds = 6;

Data data_of_kind(int kind, std::size_t count, bool weighted, std::uint64_t seed) {
  Random random(seed, static_cast<std::uint64_t>(kind));
  Data data;
  for (std::size_t i = 0; i < count; ++i) {
    const double x = random.normal();
    double value = x;
    if (kind == 1) value = static_cast<double>(random.below(40));
    if (kind == 2) value = x * x * x * x * x;
    if (kind == 3) value = 1000.0 + 10.0 * static_cast<double>(random.below(5)) + x;
    if (kind == 4 && i % 2 == 1) value = -data.values.back();
    if (kind == 5) value = static_cast<double>(i);
    data.values.push_back(static_cast<float>(value));
    if (weighted) data.importance.push_back(static_cast<float>(0.01 + x * x));
  }
  std::sort(data.values.begin(), data.values.end());
  return data;
}

// Every cut tried, sums in long double about the mean of each cluster.
long double least_error(const Data& data, std::size_t clusters) {
  const std::size_t count = data.values.size();
  const long double infinity = std::numeric_limits<long double>::infinity();
  std::vector<long double> least(count + 1, infinity);
  least[0] = 0.0L;
  for (std::size_t k = 0; k < clusters; ++k) {
    std::vector<long double> next(count + 1, infinity);
    for (std::size_t begin = 0; begin < count; ++begin) {
      if (least[begin] == infinity) continue;
      long double mass = 0.0L;
      long double mean = 0.0L;
      long double error = 0.0L;  // West's update
      for (std::size_t end = begin + 1; end <= count; ++end) {
        const long double h = data.importance.empty() ? 1.0L : data.importance[end - 1];
        const long double gap = data.values[end - 1] - mean;
        mass += h;
        mean += gap * h / mass;
        error += h * gap * (data.values[end - 1] - mean);
        next[end] = std::min(next[end], least[begin] + error);
      }
    }
    least = next;
  }
  return least[count];
}

void expect_least_error(std::size_t count,
                        std::size_t clusters,
                        std::size_t budget,
                        std::uint64_t seed) {
  for (int kind = 0; kind < kKinds; ++kind) {
    for (const bool weighted : {false, true}) {
      SCOPED_TRACE(testing::Message()
                   << "kind " << kind << ", weighted " << weighted << ", count " << count
                   << ", clusters " << clusters << ", budget " << budget << ", seed " << seed);
      const Data data = data_of_kind(kind, count, weighted, seed);
      std::vector<float> distinct = data.values;
      distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
      if (distinct.size() < clusters) continue;
      const SortedSums sums(data.values, data.importance);
      const Boundaries boundaries = best_clusters(sums, clusters, budget);
      ASSERT_EQ(boundaries.size(), clusters - 1);
      ASSERT_TRUE(std::is_sorted(boundaries.begin(), boundaries.end()));
      const auto least = static_cast<double>(least_error(data, clusters));
      // Differences of sums of squares about one centre: at most 1000 roundings of the whole.
      const double whole = sums.first(count).square;
      ASSERT_NEAR(clusters_error(sums, boundaries), least, 1000 * 0x1p-53 * whole);
    }
  }
}

TEST(BestClusters, ReachTheLeastErrorOfAllCuts) {
  for (const std::size_t count : {2, 3, 5, 9, 17, 40}) {
    for (const std::size_t clusters : {2, 3, 4, 7, 16}) {
      if (clusters > count) continue;
      for (std::uint64_t seed = 0; seed < 10; ++seed) expect_least_error(count, clusters, 0, seed);
    }
  }
}

// A small budget makes blocks of many values and several rounds.
TEST(BestClusters, DoNotDependOnTheBlocksOfTheSearch) {
  for (const std::size_t budget : {1, 10, 40, 200}) {
    for (const std::size_t clusters : {2, 3, 4, 6, 13}) {
      for (std::uint64_t seed = 0; seed < 4; ++seed) {
        expect_least_error(70, clusters, budget, seed);
        expect_least_error(131, clusters, budget, seed);
      }
    }
  }
}

TEST(BestClusters, AgreeForEveryBudgetOnManyValues) {
  for (int kind = 0; kind < kKinds; ++kind) {
    const Data data = data_of_kind(kind, 60'000, kind % 2 == 1, 3);
    const SortedSums sums(data.values, data.importance);
    for (const std::size_t clusters : {2, 4, 16}) {
      SCOPED_TRACE(testing::Message() << "kind " << kind << ", clusters " << clusters);
      const double direct = clusters_error(sums, best_clusters(sums, clusters, 60'000 * clusters));
      const double searched = clusters_error(sums, best_clusters(sums, clusters, 500 * clusters));
      // Sums of at most 1000 blocks of 64: their rounding.
      EXPECT_NEAR(searched, direct, 1100 * 0x1p-53 * sums.first(60'000).square);
    }
  }
}

}  // namespace
}  // namespace lastbit
