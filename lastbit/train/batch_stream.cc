#include "lastbit/train/batch_stream.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace lastbit {
namespace {

constexpr std::size_t kAhead = 3;

}  // namespace

BatchStream::BatchStream(const Batches& batches,
                         std::vector<std::int64_t> order,
                         const Options& options)
    : batches_(batches),
      order_(std::move(order)),
      options_(options),
      ahead_(options.ahead.value_or(batches.load_is_slow() ? kAhead : 0)),
      next_(static_cast<std::size_t>(options.begin)) {
  if (ahead_ == 0 || done()) return;
  thread_ = std::jthread([this](const std::stop_token& stop) { load_ahead(stop); });
}

BatchStream::~BatchStream() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

std::size_t BatchStream::size_at(std::size_t begin) const noexcept {
  return std::min(static_cast<std::size_t>(options_.batch), order_.size() - begin);
}

std::span<const std::int64_t> BatchStream::indices_at(std::size_t begin) const noexcept {
  const auto worker = static_cast<std::size_t>(options_.worker);
  const auto workers = static_cast<std::size_t>(options_.workers);
  const std::size_t size = size_at(begin);
  const std::size_t first = size * worker / workers;
  return std::span(order_).subspan(begin + first, size * (worker + 1) / workers - first);
}

LoadedBatch BatchStream::load(std::size_t begin) const {
  const std::span<const std::int64_t> indices = indices_at(begin);
  return indices.empty() ? LoadedBatch{} : batches_.load(indices, options_.augmentation);
}

void BatchStream::load_ahead(const std::stop_token& stop) {
  for (auto begin = static_cast<std::size_t>(options_.begin); begin < order_.size();
       begin += static_cast<std::size_t>(options_.batch)) {
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [&] { return items_.size() < ahead_; })) return;
    }
    Item item;
    try {
      item.batch = load(begin);
    } catch (...) {
      item.failure = std::current_exception();
    }
    const bool failed = item.failure != nullptr;
    {
      const std::lock_guard lock(mutex_);
      items_.push_back(std::move(item));
    }
    changed_.notify_all();
    if (failed) return;
  }
}

LoadedBatch BatchStream::take() {
  if (ahead_ == 0) return load(next_);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !items_.empty(); });
  if (items_.front().failure) std::rethrow_exception(items_.front().failure);
  LoadedBatch batch = std::move(items_.front().batch);
  items_.pop_front();
  lock.unlock();
  changed_.notify_all();
  return batch;
}

Batch BatchStream::next() {
  const auto start = std::chrono::steady_clock::now();
  const LoadedBatch loaded = take();
  waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  next_ += size_at(next_);
  if (loaded.indices.empty()) return {};
  return batches_.ready(loaded, options_.augmentation);
}

}  // namespace lastbit
