#include "lastbit/runtime/arena.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

namespace lastbit {
namespace {

std::size_t aligned(std::size_t bytes) noexcept {
  return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

bool meet(const Lifetime& a, const Lifetime& b) noexcept {
  return a.first <= b.last && b.first <= a.last;
}

// For each buffer, the most bytes that live at a time at which it lives.
std::vector<std::size_t> pressures_of(const std::vector<Lifetime>& buffers) {
  std::vector<std::size_t> pressures(buffers.size(), 0);
  for (const Lifetime& at : buffers) {
    std::size_t live = 0;
    for (const Lifetime& other : buffers) {
      if (other.first <= at.first && at.first <= other.last) live += aligned(other.bytes);
    }
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      if (buffers[i].first <= at.first && at.first <= buffers[i].last) {
        pressures[i] = std::max(pressures[i], live);
      }
    }
  }
  return pressures;
}

// Each buffer in turn goes into the smallest gap that holds it.
ArenaLayout place_in_order(const std::vector<Lifetime>& buffers,
                           const std::vector<std::size_t>& order) {
  ArenaLayout layout;
  layout.offsets.assign(buffers.size(), 0);
  std::vector<std::size_t> placed;  // by offset
  for (const std::size_t index : order) {
    const Lifetime& buffer = buffers[index];
    const std::size_t bytes = aligned(buffer.bytes);
    std::size_t best = 0;
    std::size_t best_gap = std::numeric_limits<std::size_t>::max();
    std::size_t end = 0;  // of the neighbours seen so far
    for (const std::size_t other : placed) {
      if (!meet(buffer, buffers[other])) continue;
      const std::size_t start = layout.offsets[other];
      if (start > end && start - end >= bytes && start - end < best_gap) {
        best = end;
        best_gap = start - end;
      }
      end = std::max(end, start + aligned(buffers[other].bytes));
    }
    if (best_gap == std::numeric_limits<std::size_t>::max()) best = end;
    layout.offsets[index] = best;
    layout.bytes = std::max(layout.bytes, best + bytes);
    const auto position = std::upper_bound(
        placed.begin(), placed.end(), best, [&](std::size_t offset, std::size_t i) {
          return offset < layout.offsets[i];
        });
    placed.insert(position, index);
  }
  return layout;
}

// Brings those with larger keys to the front, and keeps the order of others. By insertion, as
// buffers are placed too: there are hundreds at most, and a sort of the standard library is 3 kB of
// code.
void sort_by(const std::vector<double>& keys, std::vector<std::size_t>& order) {
  std::vector<std::size_t> sorted;
  sorted.reserve(order.size());
  for (const std::size_t index : order) {
    const auto position =
        std::upper_bound(sorted.begin(), sorted.end(), index, [&](std::size_t a, std::size_t b) {
          return keys[a] > keys[b];
        });
    sorted.insert(position, index);
  }
  order = std::move(sorted);
}

}  // namespace

ArenaLayout place_buffers(const std::vector<Lifetime>& buffers) {
  const std::vector<std::size_t> pressures = pressures_of(buffers);
  std::vector<double> bytes;
  std::vector<double> areas;  // bytes times steps
  std::vector<double> ages;
  std::vector<double> busy;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const Lifetime& buffer = buffers[i];
    bytes.push_back(static_cast<double>(buffer.bytes));
    areas.push_back(bytes.back() * static_cast<double>(buffer.last - buffer.first + 1));
    ages.push_back(-static_cast<double>(buffer.first));
    busy.push_back(static_cast<double>(pressures[i]));
  }
  std::vector<std::size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  ArenaLayout best;
  // At last by what lives beside them at the busiest time: buffers that meet there are placed
  // first, and of those that meet alike the oldest.
  for (const std::vector<double>* keys : {&bytes, &areas, &ages, &busy}) {
    if (keys == &ages) std::iota(order.begin(), order.end(), std::size_t{0});
    sort_by(*keys, order);
    if (keys == &ages) continue;
    ArenaLayout layout = place_in_order(buffers, order);
    if (keys == &bytes || layout.bytes < best.bytes) best = std::move(layout);
  }
  return best;
}

}  // namespace lastbit
