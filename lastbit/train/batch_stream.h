#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "lastbit/train/batches.h"

namespace lastbit {

/// Hands out the batches of an order one after another. Where loading them is slow, a thread does
/// it ahead of time; the batches are the same to the bit.
class BatchStream {
 public:
  struct Options {
    std::int64_t batch = 128;  ///< Samples; the last batch has what is left.
    std::int64_t begin = 0;    ///< Samples of the order that are passed over.
    /// Of each batch, the slice of one of several workers, in one piece; slices differ by one
    /// sample at most. Where a batch has fewer samples than there are workers some are empty: their
    /// tensors are undefined.
    int worker = 0;
    int workers = 1;
    std::optional<AugmentationSeed> augmentation = {};  ///< None: without augmentation.
    /// Batches that are loaded ahead of time; 0 for none, without a thread.
    std::optional<std::size_t> ahead = {};
  };

  /// @param batches  outlives this object.
  BatchStream(const Batches& batches, std::vector<std::int64_t> order, const Options& options);
  BatchStream(const BatchStream&) = delete;
  BatchStream& operator=(const BatchStream&) = delete;
  /// Stops the thread after the batch that it is at.
  ~BatchStream();

  bool done() const noexcept { return next_ >= order_.size(); }
  /// The next batch; not to be called when `done`. Rethrows what loading it threw.
  Batch next();
  /// Seconds that `next` has waited for samples so far.
  double waited() const noexcept { return waited_; }

 private:
  struct Item {
    LoadedBatch batch;
    std::exception_ptr failure;
  };

  std::size_t size_at(std::size_t begin) const noexcept;
  std::span<const std::int64_t> indices_at(std::size_t begin) const noexcept;
  LoadedBatch load(std::size_t begin) const;
  void load_ahead(const std::stop_token& stop);
  LoadedBatch take();

  const Batches& batches_;
  std::vector<std::int64_t> order_;
  Options options_;
  std::size_t ahead_;
  std::size_t next_;
  double waited_ = 0.0;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Item> items_;  // guarded by mutex_
  std::jthread thread_;     // last: it uses all of the above
};

}  // namespace lastbit
