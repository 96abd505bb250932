#include "lastbit/train/ring.h"

#include <atomic>
#include <cstring>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/base/text.h"
#include "rings.h"

namespace lastbit {
namespace {

using ::testing::HasSubstr;

// Whole numbers, whose sums are exact in any order.
std::vector<float> whole_numbers(std::size_t count, int rank) {
  Random random(static_cast<std::uint64_t>(rank) + 1, count);
  std::vector<float> result(count);
  for (float& value : result) value = static_cast<float>(random.below(2001)) - 1000.0F;
  return result;
}

class RingOf : public ::testing::TestWithParam<int> {};

TEST_P(RingOf, SumsEachElementOverAllWorkers) {
  const int size = GetParam();
  std::vector<Ring> rings = make_rings(size);
  // Fewer than workers, odd, more than the buffers of a socket hold.
  for (const std::size_t count : {0UL, 1UL, 2UL, 3UL, 5UL, 1000UL, 65'537UL, 3'000'001UL}) {
    SCOPED_TRACE(count);
    std::vector<float> expected(count, 0.0F);
    for (int rank = 0; rank < size; ++rank) {
      const std::vector<float> own = whole_numbers(count, rank);
      for (std::size_t i = 0; i < count; ++i) expected[i] += own[i];
    }
    std::vector<std::vector<float>> results(static_cast<std::size_t>(size));
    at_once(size, [&](int rank) {
      std::vector<float> values = whole_numbers(count, rank);
      rings[static_cast<std::size_t>(rank)].sum(values);
      results[static_cast<std::size_t>(rank)] = values;
    });
    for (const std::vector<float>& result : results) EXPECT_TRUE(result == expected);
  }
}

TEST_P(RingOf, GivesAllWorkersTheSameBits) {
  const int size = GetParam();
  std::vector<Ring> rings = make_rings(size);
  std::vector<std::vector<double>> results(static_cast<std::size_t>(size));
  at_once(size, [&](int rank) {
    Random random(static_cast<std::uint64_t>(rank));
    std::vector<double> values(1001);
    for (double& value : values) value = random.normal();
    rings[static_cast<std::size_t>(rank)].sum(values);
    results[static_cast<std::size_t>(rank)] = values;
  });
  for (const std::vector<double>& result : results) EXPECT_TRUE(result == results[0]);
}

TEST_P(RingOf, BroadcastsWhatTheFirstHolds) {
  const int size = GetParam();
  std::vector<Ring> rings = make_rings(size);
  for (const std::size_t count : {0UL, 1UL, 262'144UL, 1'000'003UL}) {
    SCOPED_TRACE(count);
    std::vector<std::byte> sent(count);
    for (std::size_t i = 0; i < count; ++i) sent[i] = static_cast<std::byte>(i * 31 % 251);
    at_once(size, [&](int rank) {
      std::vector<std::byte> bytes = rank == 0 ? sent : std::vector<std::byte>(count);
      rings[static_cast<std::size_t>(rank)].broadcast(bytes);
      EXPECT_TRUE(bytes == sent) << rank;
    });
  }
}

TEST_P(RingOf, TellsAllOfOneThatEnds) {
  const int size = GetParam();
  if (size == 1) return;
  std::vector<std::optional<Ring>> rings;
  for (Ring& ring : make_rings(size)) rings.emplace_back(std::move(ring));
  std::vector<std::string> said(static_cast<std::size_t>(size));
  at_once(size, [&](int rank) {
    const auto at = static_cast<std::size_t>(rank);
    if (rank == size - 1) {
      rings[at].reset();
      return;
    }
    std::vector<float> values(100'000, 1.0F);
    try {
      rings[at]->sum(values);
    } catch (const LostWorker& error) {
      said[at] = error.what();
    }
  });
  for (int rank = 0; rank + 1 < size; ++rank) {
    EXPECT_THAT(said[static_cast<std::size_t>(rank)], HasSubstr("[workers] lost worker "));
    EXPECT_THAT(said[static_cast<std::size_t>(rank)], HasSubstr("its connection is closed"));
  }
}

TEST_P(RingOf, WaitsNoLongerThanTheTimeoutForOneThatHangs) {
  const int size = GetParam();
  if (size == 1) return;
  std::vector<Ring> rings = make_rings(size, std::chrono::milliseconds(50));
  std::string said;
  at_once(size, [&](int rank) {
    if (rank == 1) return;  // its sockets stay open
    std::vector<float> values(10, 1.0F);
    try {
      rings[static_cast<std::size_t>(rank)].sum(values);
    } catch (const LostWorker& error) {
      if (rank == 0) said = error.what();
    }
  });
  EXPECT_THAT(said, HasSubstr("[workers] lost worker "));
}

// As where a worker gives up while its sum goes on.
TEST_P(RingOf, EndsForAllWhereOneIsShutDown) {
  const int size = GetParam();
  if (size == 1) return;
  std::vector<Ring> rings = make_rings(size);
  std::atomic<int> lost = 0;
  std::thread other([&] {
    while (lost == 0) {
      std::this_thread::yield();
      rings[1].shut_down();
    }
  });
  at_once(size, [&](int rank) {
    std::vector<float> values(100'000, 1.0F);
    try {
      for (;;) rings[static_cast<std::size_t>(rank)].sum(values);
    } catch (const LostWorker&) {
      ++lost;
    }
  });
  other.join();
  EXPECT_EQ(lost, size);
}

INSTANTIATE_TEST_SUITE_P(Sizes, RingOf, ::testing::Values(1, 2, 3, 4), [](const auto& row) {
  return cat("Size", row.param);
});

// A ring whose worker 1 is played by the test.
struct Played {
  explicit Played(std::chrono::milliseconds timeout) {
    for (auto* pair : {&to, &from}) EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, *pair), 0);
    ring.emplace(0, 2, Socket(to[0]), Socket(from[1]), timeout);
  }
  ~Played() {
    ::close(to[1]);
    ::close(from[0]);
  }
  std::string said_after(const std::string& bytes) {
    EXPECT_EQ(::write(from[0], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    std::vector<float> values(10, 1.0F);
    try {
      ring->sum(values);
    } catch (const LostWorker& error) {
      return error.what();
    }
    return "nothing";
  }

  int to[2] = {-1, -1};
  int from[2] = {-1, -1};
  std::optional<Ring> ring;
};

TEST(Ring, RefusesRubbish) {
  EXPECT_EQ(Played(std::chrono::seconds(20)).said_after(std::string(4096, 'x')),
            "[workers] lost worker 1: it sends something else than expected, as another version "
            "would");
}

TEST(Ring, WaitsForTheRestOfAHeaderUntilTheTimeout) {
  EXPECT_EQ(Played(std::chrono::milliseconds(30)).said_after("abc"),
            "[workers] lost worker 1: no answer within 0.03 s (--timeout)");
}

TEST(Ring, RefusesAnotherSize) {
  std::vector<Ring> rings = make_rings(2);
  std::vector<std::string> said(2);
  at_once(2, [&](int rank) {
    std::vector<float> values(rank == 0 ? 10 : 12, 1.0F);
    try {
      rings[static_cast<std::size_t>(rank)].sum(values);
    } catch (const LostWorker& error) {
      said[static_cast<std::size_t>(rank)] = error.what();
    }
  });
  EXPECT_THAT(cat(said[0], said[1]), HasSubstr("something else than expected"));
}

}  // namespace
}  // namespace lastbit
