#pragma once

#include <cstddef>
#include <functional>

namespace lastbit {

/// Processors that this process may use (its affinity mask, not the machine's count). At least 1.
int usable_processors() noexcept;

/// Calls `work(begin, end)` on disjoint ranges that cover [0, count), on at most `threads` threads,
/// the caller's among them, and waits for all. Ranges depend on `count` and `threads` alone.
///
/// Starts threads anew: for work of a millisecond and more. The first exception is rethrown.
void parallel_for(std::size_t count,
                  int threads,
                  const std::function<void(std::size_t begin, std::size_t end)>& work);

}  // namespace lastbit
