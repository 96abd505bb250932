#pragma once

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace lastbit {

/// Threads that wait for work, for one caller. Between two calls they look out for the next for
/// some ten microseconds, as long as a step of a small network takes, and then sleep.
class Workers {
 public:
  /// Work on the units [begin, end). `worker` is 0 for the caller and below `threads` for all.
  using Work = void (*)(const void* context, std::size_t begin, std::size_t end, int worker);

  /// @param threads  the caller's among them; at least 1.
  /// @throws WorkError if the system gives fewer.
  explicit Workers(int threads);
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers();

  /// Divides [0, units) into one range a thread and waits for all. Allocates nothing.
  void run(std::size_t units, Work work, const void* context) noexcept;

 private:
  void serve(int worker) noexcept;
  void stop() noexcept;

  // What a round is about; written before `round_` is raised, and read after.
  std::size_t units_ = 0;
  Work work_ = nullptr;  // null to stop
  const void* context_ = nullptr;

  std::atomic<int> round_ = 0;  // counts the calls of `run`
  std::atomic<int> busy_ = 0;   // threads that have not finished this round

  std::vector<std::thread> threads_;
};

}  // namespace lastbit
