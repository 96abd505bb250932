#include "lastbit/runtime/arena.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/runtime/kernels/kernel_set.h"
#include "lastbit/runtime/plan.h"
#include "lastbit/zoo/zoo.h"
#include "small_zoo.h"

namespace lastbit {
namespace {

std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

// No layout can be smaller than the bytes that live in one step.
std::size_t lower_bound(const std::vector<Lifetime>& buffers) {
  std::size_t most = 0;
  for (const Lifetime& at : buffers) {
    std::size_t live = 0;
    for (const Lifetime& other : buffers) {
      if (other.first <= at.first && at.first <= other.last) live += aligned(other.bytes);
    }
    most = std::max(most, live);
  }
  return most;
}

void expect_sound(const std::vector<Lifetime>& buffers, const ArenaLayout& layout) {
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    EXPECT_EQ(layout.offsets[i] % kArenaAlignment, 0U);
    EXPECT_LE(layout.offsets[i] + buffers[i].bytes, layout.bytes);
    for (std::size_t j = 0; j < i; ++j) {
      if (buffers[i].first > buffers[j].last || buffers[j].first > buffers[i].last) continue;
      EXPECT_TRUE(layout.offsets[i] + buffers[i].bytes <= layout.offsets[j] ||
                  layout.offsets[j] + buffers[j].bytes <= layout.offsets[i])
          << "buffers " << j << " and " << i << " overlap";
    }
  }
}

TEST(Arena, KeepsLivingBuffersApart) {
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    SCOPED_TRACE(round);
    std::vector<Lifetime> buffers(1 + random.below(40));
    for (Lifetime& buffer : buffers) {
      buffer.bytes = 1 + random.below(5000);
      buffer.first = random.below(20);
      buffer.last = buffer.first + random.below(6);
    }
    const ArenaLayout layout = place_buffers(buffers);
    expect_sound(buffers, layout);
    EXPECT_GE(layout.bytes, lower_bound(buffers));
  }
}

// Each buffer lives until the next step has read it, as in a network without branches: two
// neighbours of most bytes decide, and a greedy layout may lose half of that again.
TEST(Arena, StaysNearTheLowerBoundForAChain) {
  Random random(2);
  for (int round = 0; round < 100; ++round) {
    SCOPED_TRACE(round);
    std::vector<Lifetime> buffers;
    for (std::size_t step = 0; step < 12; ++step) {
      buffers.push_back(
          {.bytes = std::size_t{64} << random.below(8), .first = step, .last = step + 1});
    }
    const ArenaLayout layout = place_buffers(buffers);
    expect_sound(buffers, layout);
    EXPECT_LE(layout.bytes, lower_bound(buffers) * 3 / 2);
  }
}

TEST(Arena, ReachesTheLowerBoundForTheZoo) {
  for (const Architecture& architecture : architectures()) {
    if (architecture.kind != NetworkKind::kClassifier) continue;
    for (const std::int64_t batch : {1, 100}) {
      ZooOptions options = reference::small_zoo(architecture.name);
      // Below, what is lost to the alignment of single pixels decides.
      if (options.input[1] == 4) options.input = {3, 8, 8};
      const auto plan = make_plan(
          make_network(architecture.name, options), {.batch = batch}, *runnable_kernels().front());
      EXPECT_EQ(plan->arena_bytes, lower_bound(plan->lifetimes)) << architecture.name;
    }
  }
}

TEST(Arena, PutsABufferIntoTheGapThatFitsBest) {
  // A gap of 256 bytes and one of 128 are left below the buffers that outlive the others.
  const std::vector<Lifetime> buffers = {{.bytes = 1024, .first = 0, .last = 9},
                                         {.bytes = 256, .first = 0, .last = 1},
                                         {.bytes = 192, .first = 0, .last = 9},
                                         {.bytes = 128, .first = 0, .last = 1},
                                         {.bytes = 64, .first = 0, .last = 9},
                                         {.bytes = 60, .first = 2, .last = 9}};
  const ArenaLayout layout = place_buffers(buffers);
  expect_sound(buffers, layout);
  EXPECT_EQ(layout.offsets[5], layout.offsets[3]);
  EXPECT_EQ(layout.bytes, lower_bound(buffers));
}

TEST(Arena, IsEmptyWithoutBuffers) { EXPECT_EQ(place_buffers({}).bytes, 0U); }

}  // namespace
}  // namespace lastbit
