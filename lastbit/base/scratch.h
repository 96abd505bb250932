#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace lastbit {

struct FreeMemory {
  void operator()(void* memory) const noexcept { std::free(memory); }
};

/// Floats that are written before they are read.
using ScratchFloats = std::unique_ptr<float[], FreeMemory>;

/// Memory for `count` floats. Where there are millions of them it is asked for in large pages: a
/// tenth of the time of sorting them would go into the faults of small ones.
/// @throws std::bad_alloc
ScratchFloats scratch_floats(std::size_t count);

}  // namespace lastbit
