#include "lastbit/runtime/workers.h"

#include <system_error>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

// Looks at a number so often before the thread sleeps; each look takes some ten nanoseconds.
constexpr int kLooks = 2000;

inline void rest() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waits until `number` is no longer `old`, and returns what it is then.
int wait_for_change(const std::atomic<int>& number, int old) noexcept {
  for (int look = 0; look < kLooks; ++look) {
    const int now = number.load(std::memory_order_acquire);
    if (now != old) return now;
    rest();
  }
  number.wait(old, std::memory_order_acquire);
  return number.load(std::memory_order_acquire);
}

}  // namespace

Workers::Workers(int threads) {
  try {
    for (int worker = 1; worker < threads; ++worker) {
      threads_.emplace_back([this, worker] { serve(worker); });
    }
  } catch (const std::system_error& error) {
    stop();
    throw WorkError(cat("[runtime] no ", threads, " threads: ", error.what()));
  }
}

Workers::~Workers() { stop(); }

void Workers::stop() noexcept {
  work_ = nullptr;
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::run(std::size_t units, Work work, const void* context) noexcept {
  const std::size_t parts = threads_.size() + 1;
  units_ = units;
  work_ = work;
  context_ = context;
  busy_.store(static_cast<int>(threads_.size()), std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  work(context, 0, units / parts, 0);
  for (int busy = busy_.load(std::memory_order_acquire); busy != 0;) {
    busy = wait_for_change(busy_, busy);
  }
}

void Workers::serve(int worker) noexcept {
  const auto part = static_cast<std::size_t>(worker);
  for (int seen = 0;;) {
    seen = wait_for_change(round_, seen);
    if (work_ == nullptr) return;
    // Not before the first round: the threads are still being made until then.
    const std::size_t parts = threads_.size() + 1;
    work_(context_, units_ * part / parts, units_ * (part + 1) / parts, worker);
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_one();
  }
}

}  // namespace lastbit
