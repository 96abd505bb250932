#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace lastbit {

/// Carries out tasks on a thread of its own, one after the other, in the order in which they come.
class TaskThread {
 public:
  TaskThread();
  TaskThread(const TaskThread&) = delete;
  TaskThread& operator=(const TaskThread&) = delete;
  /// Waits for the task at work; those behind it are dropped.
  ~TaskThread();

  void start(std::function<void()> task);
  /// Returns when all that were started are done. @throws what the first that failed has thrown,
  /// after which those behind it were dropped.
  void wait();

 private:
  void work();

  std::mutex mutex_;  // of all below
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;  // the first is at work
  std::exception_ptr error_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace lastbit
