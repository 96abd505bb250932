#include "lastbit/base/threads.h"

#include <algorithm>
#include <exception>
#include <sched.h>
#include <thread>
#include <vector>

namespace lastbit {

int usable_processors() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void parallel_for(std::size_t count,
                  int threads,
                  const std::function<void(std::size_t begin, std::size_t end)>& work) {
  if (count == 0) return;
  const std::size_t parts = std::clamp<std::size_t>(static_cast<std::size_t>(threads), 1, count);
  std::vector<std::exception_ptr> failures(parts);
  const auto run = [&](std::size_t part) {
    try {
      work(count * part / parts, count * (part + 1) / parts);
    } catch (...) {
      failures[part] = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> helpers;
    helpers.reserve(parts - 1);
    for (std::size_t part = 1; part < parts; ++part) helpers.emplace_back(run, part);
    run(0);
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace lastbit
