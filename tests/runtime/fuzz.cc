#include <gtest/gtest.h>

#include "random_network.h"

// Random small networks against the reference: what the planner fuses, aliases and places in the
// arena must not show.

namespace lastbit {
namespace {

TEST(Fuzz, RandomNetworksAgreeWithTheReference) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    reference::expect_agreement(
        reference::Generator(seed).network(), random, {.threads = static_cast<int>(1 + seed % 3)});
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace lastbit
