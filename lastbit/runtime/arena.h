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
/// The best of three greedy layouts: each places one buffer after the other into the smallest gap
/// that holds it, the largest first (Pisarchyk and Lee 2020, "Efficient Memory Management for Deep
/// Neural Net Inference", section 5.2), or those of most bytes times steps, or those that live when
/// most bytes do. Quadratic in the number of buffers.
ArenaLayout place_buffers(const std::vector<Lifetime>& buffers);

}  // namespace lastbit
