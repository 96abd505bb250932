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

bool in_order(float a, float b) noexcept { return key(a) < key(b); }

void insertion_sort(std::span<float> values) {
  for (std::size_t i = 1; i < values.size(); ++i) {
    const float value = values[i];
    std::size_t k = i;
    for (; k > 0 && in_order(value, values[k - 1]); --k) values[k] = values[k - 1];
    values[k] = value;
  }
}

// Below kFewest values: into buckets of equal width between the least and the largest, and where
// many share one, into buckets within it. Each value is then near its place.
std::span<float> sort_few(std::span<float> values, std::span<float> scratch) {
  constexpr int kBits = 8;
  constexpr std::size_t kMany = 16;
  if (values.size() <= kMany) {
    insertion_sort(values);
    return values;
  }
  std::uint32_t least = key(values[0]);
  std::uint32_t largest = least;
  for (const float value : values) {
    least = std::min(least, key(value));
    largest = std::max(largest, key(value));
  }
  if (least == largest) return values;
  const int shift = std::max(0, static_cast<int>(std::bit_width(largest - least)) - kBits);
  const auto bucket = [&](float value) { return (key(value) - least) >> shift; };
  std::array<std::uint16_t, std::size_t{1} << kBits> ends{};
  for (const float value : values) ++ends[bucket(value)];
  std::uint16_t start = 0;
  for (std::uint16_t& end : ends)
    start = static_cast<std::uint16_t>(start + std::exchange(end, start));
  const std::span<float> sorted = scratch.first(values.size());
  for (const float value : values) sorted[ends[bucket(value)]++] = value;
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    if (end - begin > kMany) {
      const std::span<float> own = sorted.subspan(begin, end - begin);
      const std::span<float> ordered = sort_few(own, values.subspan(begin, end - begin));
      if (ordered.data() != own.data()) std::copy(ordered.begin(), ordered.end(), own.begin());
    }
    begin = end;
  }
  insertion_sort(sorted);
  return sorted;
}

}  // namespace

std::span<float> sort_floats(std::span<float> values, std::span<float> scratch) {
  if (values.size() < kFewest) return sort_few(values, scratch);
  if (values.size() > kMost) {
    std::sort(values.begin(), values.end(), in_order);
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
