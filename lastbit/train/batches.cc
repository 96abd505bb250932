#include "lastbit/train/batches.h"

#include <numeric>

#include "lastbit/base/random.h"

namespace lastbit {
namespace {

// Streams of the seed: one for each use, so that none disturbs another.
constexpr std::uint64_t kOrderStream = 0x6f72646572;

}  // namespace

std::vector<std::int64_t> Batches::order(std::uint64_t seed, std::int64_t epoch) const {
  return shuffled_order(size(), seed, epoch);
}

std::vector<std::int64_t> shuffled_order(std::int64_t size,
                                         std::uint64_t seed,
                                         std::int64_t epoch) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  Random random(seed ^ kOrderStream, static_cast<std::uint64_t>(epoch));
  random.shuffle(std::span(order));
  return order;
}

}  // namespace lastbit
