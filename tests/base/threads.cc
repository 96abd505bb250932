#include "lastbit/base/threads.h"

#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace lastbit {
namespace {

TEST(UsableProcessors, AreAtLeastOne) { EXPECT_GE(usable_processors(), 1); }

TEST(ParallelFor, CoversEveryIndexOnce) {
  for (const std::size_t count : {0, 1, 2, 3, 7, 100, 1001}) {
    for (const int threads : {-1, 0, 1, 2, 3, 8, 200}) {
      SCOPED_TRACE(testing::Message() << count << " on " << threads);
      std::vector<std::atomic<int>> visits(count);
      parallel_for(count, threads, [&](std::size_t begin, std::size_t end) {
        EXPECT_LT(begin, end);
        for (std::size_t i = begin; i < end; ++i) ++visits[i];
      });
      for (const auto& visit : visits) EXPECT_EQ(visit, 1);
    }
  }
}

TEST(ParallelFor, CutsTheSameRangesEveryTime) {
  const auto ranges = [] {
    std::mutex mutex;
    std::set<std::pair<std::size_t, std::size_t>> result;
    parallel_for(10, 4, [&](std::size_t begin, std::size_t end) {
      const std::scoped_lock lock(mutex);
      result.emplace(begin, end);
    });
    return result;
  };
  EXPECT_EQ(ranges().size(), 4U);
  EXPECT_EQ(ranges(), ranges());
}

TEST(ParallelFor, RethrowsWhatWorkThrows) {
  for (const std::size_t bad : {0, 4, 9}) {
    std::atomic<int> finished = 0;
    const auto work = [&](std::size_t begin, std::size_t end) {
      if (begin <= bad && bad < end) throw std::out_of_range("here");
      ++finished;
    };
    EXPECT_THROW(parallel_for(10, 5, work), std::out_of_range);
    EXPECT_EQ(finished, 4) << "the other ranges are worked on all the same";
  }
}

TEST(ParallelFor, RethrowsTheFirstOfSeveral) {
  const auto work = [](std::size_t begin, std::size_t) {
    if (begin == 0) throw std::out_of_range("first");
    throw std::logic_error("later");
  };
  EXPECT_THROW(parallel_for(4, 4, work), std::out_of_range);
}

}  // namespace
}  // namespace lastbit
