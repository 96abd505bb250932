#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <vector>

namespace lastbit {

/// Calls `run` for so many seconds, and once at the least. Calls within the first tenth of the time
/// are warm-up and not counted.
/// @return milliseconds of each call, sorted.
template <typename Run>
std::vector<double> time_runs(double seconds, Run run) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  const auto start = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  do {
    const auto before = Clock::now();
    run();
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - before).count();
    if (elapsed() > 0.1 * seconds) times.push_back(ms);
  } while (elapsed() < seconds || times.empty());
  std::sort(times.begin(), times.end());
  return times;
}

/// The value below which a share of `sorted`, which is not empty, lies.
inline double quantile(const std::vector<double>& sorted, double share) {
  const auto last = static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<std::size_t>(std::lround(share * last))];
}

}  // namespace lastbit
