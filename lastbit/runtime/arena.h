#pragma once

#include <cstddef>
#include <vector>

namespace lastbit {

/// A buffer of the arena: `bytes` that are in use from step `first` to step `last`, both included.
struct Lifetime {
  std::size_t bytes = 0;
  std::size_t first = 0;
  std::size_t last = 0;
};

struct ArenaLayout {
  std::vector<std::size_t> offsets;  ///< One a buffer, a multiple of kArenaAlignment.
  std::size_t bytes = 0;             ///< Of the whole arena.
};

inline constexpr std::size_t kArenaAlignment = 64;

/// Places buffers so that two that live at the same time never overlap.
///
/// Greedy by size: the largest buffer is placed first, each into the smallest gap that holds it
/// between those placed already (Pisarchyk and Lee 2020, "Efficient Memory Management for Deep
/// Neural Net Inference", section 5.2). Quadratic in the number of buffers.
ArenaLayout place_buffers(const std::vector<Lifetime>& buffers);

}  // namespace lastbit
