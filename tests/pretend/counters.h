#pragma once

#include <atomic>
#include <cstdint>

namespace lastbit::pretend {

struct Counters {
  std::atomic<std::int64_t> launches{0};
  std::atomic<std::int64_t> bytes_to_host{0};
  std::atomic<std::int64_t> bytes_to_device{0};
  std::atomic<std::int64_t> waits{0};
};

Counters& counters() noexcept;

}  // namespace lastbit::pretend
