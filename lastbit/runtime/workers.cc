#include "lastbit/runtime/workers.h"

namespace lastbit {

Workers::Workers(int threads) {
  for (int worker = 1; worker < threads; ++worker) {
    threads_.emplace_back([this, worker] { serve(worker); });
  }
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::run(std::size_t units, Work work, const void* context) noexcept {
  const std::size_t parts = threads_.size() + 1;
  {
    const std::lock_guard lock(mutex_);
    units_ = units;
    work_ = work;
    context_ = context;
    busy_ = static_cast<int>(threads_.size());
    ++round_;
  }
  wake_.notify_all();
  work(context, 0, units / parts, 0);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return busy_ == 0; });
}

void Workers::serve(int worker) noexcept {
  std::size_t seen = 0;
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stop_ || round_ != seen; });
    if (stop_) return;
    seen = round_;
    const std::size_t units = units_;
    const Work work = work_;
    const void* context = context_;
    lock.unlock();
    const std::size_t parts = threads_.size() + 1;
    const auto part = static_cast<std::size_t>(worker);
    work(context, units * part / parts, units * (part + 1) / parts, worker);
    lock.lock();
    if (--busy_ == 0) done_.notify_one();
  }
}

}  // namespace lastbit
