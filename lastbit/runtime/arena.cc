#include "lastbit/runtime/arena.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace lastbit {
namespace {

std::size_t aligned(std::size_t bytes) noexcept {
  return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

bool meet(const Lifetime& a, const Lifetime& b) noexcept {
  return a.first <= b.last && b.first <= a.last;
}

}  // namespace

ArenaLayout place_buffers(const std::vector<Lifetime>& buffers) {
  ArenaLayout layout;
  layout.offsets.assign(buffers.size(), 0);
  std::vector<std::size_t> by_size(buffers.size());
  std::iota(by_size.begin(), by_size.end(), std::size_t{0});
  std::stable_sort(by_size.begin(), by_size.end(), [&](std::size_t a, std::size_t b) {
    return buffers[a].bytes > buffers[b].bytes;
  });

  std::vector<std::size_t> placed;  // by offset
  for (const std::size_t index : by_size) {
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

}  // namespace lastbit
