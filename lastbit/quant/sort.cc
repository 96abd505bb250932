#include "lastbit/quant/sort.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "lastbit/base/threads.h"

namespace lastbit {
namespace {

constexpr std::size_t kPasses = 3;
constexpr std::size_t kDigitBits = 11;
constexpr std::size_t kBuckets = std::size_t{1} << kDigitBits;

// Below this many, clearing and summing three tables of counters costs more than comparing.
constexpr std::size_t kFewest = 400;

// Counters of 32 bits leave room for the data in the nearest cache.
constexpr std::size_t kMost = std::numeric_limits<std::uint32_t>::max();

// An integer that orders floats by value: positive floats are in the order of their bits, negative
// ones in the reverse.
std::uint32_t key(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t flip = (0U - (bits >> 31U)) | 0x80000000U;
  return bits ^ flip;
}

std::size_t digit(float value, std::size_t pass) noexcept {
  return (key(value) >> (pass * kDigitBits)) & (kBuckets - 1);
}

}  // namespace

std::span<float> sort_floats(std::span<float> values, std::span<float> scratch) {
  if (values.size() < kFewest || values.size() > kMost) {
    std::sort(values.begin(), values.end(), [](float a, float b) { return key(a) < key(b); });
    return values;
  }
  std::array<std::array<std::uint32_t, kBuckets>, kPasses> next{};
  for (const float value : values) {
    for (std::size_t pass = 0; pass < kPasses; ++pass) ++next[pass][digit(value, pass)];
  }
  std::span<float> from = values;
  std::span<float> to = scratch.first(values.size());
  for (std::size_t pass = 0; pass < kPasses; ++pass) {
    std::array<std::uint32_t, kBuckets>& place = next[pass];
    if (place[digit(from[0], pass)] == from.size()) continue;  // one digit for all: in order
    std::uint32_t start = 0;
    for (std::uint32_t& bucket : place) start += std::exchange(bucket, start);
    for (const float value : from) to[place[digit(value, pass)]++] = value;
    std::swap(from, to);
  }
  return from;
}

std::span<float> sort_many_floats(std::span<float> values, std::span<float> scratch) {
  const int threads = std::min(2, usable_processors());
  if (threads == 1 || values.size() < kFewest || values.size() > kMost) {
    return sort_floats(values, scratch);
  }
  std::span<float> from = values;
  std::span<float> to = scratch.first(values.size());
  const std::size_t half = values.size() / 2;
  const auto for_each_half = [&](const auto& work) {
    parallel_for(2, threads, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        work(i, i == 0 ? from.first(half) : from.subspan(half));
      }
    });
  };
  for (std::size_t pass = 0; pass < kPasses; ++pass) {
    std::array<std::array<std::uint32_t, kBuckets>, 2> place{};  // of each half
    for_each_half([&](std::size_t i, std::span<const float> own) {
      for (const float value : own) ++place[i][digit(value, pass)];
    });
    const std::size_t first = digit(from[0], pass);
    if (place[0][first] + place[1][first] == from.size()) continue;  // one digit for all: in order
    std::uint32_t start = 0;
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
      for (auto& half_place : place) start += std::exchange(half_place[bucket], start);
    }
    for_each_half([&](std::size_t i, std::span<const float> own) {
      std::array<std::uint32_t, kBuckets>& next = place[i];
      for (const float value : own) to[next[digit(value, pass)]++] = value;
    });
    std::swap(from, to);
  }
  return from;
}

void sort_weighted(std::vector<WeightedValue>& values) {
  std::sort(values.begin(), values.end(), [](const WeightedValue& a, const WeightedValue& b) {
    return a.value != b.value ? a.value < b.value : a.importance < b.importance;
  });
}

}  // namespace lastbit
