#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

namespace lastbit {

/// Threads that wait for work, for one caller. They sleep between calls and never spin.
class Workers {
 public:
  /// Work on the units [begin, end). `worker` is 0 for the caller and below `threads` for all.
  using Work = void (*)(const void* context, std::size_t begin, std::size_t end, int worker);

  /// @param threads  the caller's among them; at least 1.
  explicit Workers(int threads);
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers();

  /// Divides [0, units) into one range a thread and waits for all. Allocates nothing.
  void run(std::size_t units, Work work, const void* context) noexcept;

 private:
  void serve(int worker) noexcept;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  // Guarded by mutex_:
  std::size_t round_ = 0;  // counts the calls of `run`
  int busy_ = 0;           // threads that have not finished this round
  bool stop_ = false;
  std::size_t units_ = 0;
  Work work_ = nullptr;
  const void* context_ = nullptr;

  std::vector<std::thread> threads_;
};

}  // namespace lastbit
