#include "driver.h"

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "device.h"

// The functions of CUDA's driver that LastBit looks up, as a library of the driver's name.

namespace lastbit::pretend {
namespace {

constexpr int kSuccess = 0;
constexpr int kInvalidDevice = 101;
constexpr int kNotReady = 600;

}  // namespace

class Stream {
 public:
  Stream() : thread_([this] { work(); }) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    put({});
    thread_.join();
  }

  // Nothing ends it.
  void put(std::function<void()> task) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    there_.notify_one();
  }

 private:
  void work() {
    for (;;) {
      std::unique_lock lock(mutex_);
      there_.wait(lock, [this] { return !tasks_.empty(); });
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      if (!task) return;
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable there_;
  std::deque<std::function<void()>> tasks_;
  std::thread thread_;
};

namespace {

// Recorded so many times, and reached so many of them.
struct Marks {
  std::atomic<int> recorded{0};
  std::atomic<int> reached{0};
};

// May be destroyed while streams have still to reach it, as CUDA's.
struct Event {
  std::shared_ptr<Marks> marks = std::make_shared<Marks>();
};

}  // namespace

void enqueue(void* stream, std::function<void()> work) {
  if (stream == nullptr) {
    work();
  } else {
    static_cast<Stream*>(stream)->put(std::move(work));
  }
}

}  // namespace lastbit::pretend

// NOLINTBEGIN(readability-identifier-naming): the names of the library that it stands in for.
extern "C" {

int cuStreamCreate(void** stream, unsigned /*flags*/) {
  *stream = new lastbit::pretend::Stream;
  return lastbit::pretend::kSuccess;
}

int cuStreamDestroy_v2(void* stream) {
  delete static_cast<lastbit::pretend::Stream*>(stream);
  return lastbit::pretend::kSuccess;
}

int cuEventCreate(void** event, unsigned /*flags*/) {
  *event = new lastbit::pretend::Event;
  return lastbit::pretend::kSuccess;
}

int cuEventDestroy_v2(void* event) {
  delete static_cast<lastbit::pretend::Event*>(event);
  return lastbit::pretend::kSuccess;
}

int cuEventRecord(void* event, void* stream) {
  const auto own = static_cast<lastbit::pretend::Event*>(event)->marks;
  const int mark = ++own->recorded;
  lastbit::pretend::enqueue(stream, [own, mark] { own->reached = mark; });
  return lastbit::pretend::kSuccess;
}

int cuStreamWaitEvent(void* stream, void* event, unsigned /*flags*/) {
  const auto own = static_cast<lastbit::pretend::Event*>(event)->marks;
  const int mark = own->recorded;
  lastbit::pretend::enqueue(stream, [own, mark] {
    while (own->reached < mark) std::this_thread::yield();
  });
  return lastbit::pretend::kSuccess;
}

int cuEventQuery(void* event) {
  const auto own = static_cast<lastbit::pretend::Event*>(event)->marks;
  return own->reached < own->recorded ? lastbit::pretend::kNotReady : lastbit::pretend::kSuccess;
}

int cuDeviceGet(int* device, int ordinal) {
  *device = ordinal;
  return ordinal < lastbit::pretend::device_count() ? lastbit::pretend::kSuccess
                                                    : lastbit::pretend::kInvalidDevice;
}

int cuDeviceGetUuid_v2(char* bytes, int device) {
  std::memset(bytes, device + 1, 16);
  return lastbit::pretend::kSuccess;
}

}  // extern "C"
// NOLINTEND(readability-identifier-naming)
