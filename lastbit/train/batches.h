#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <torch/types.h>

#include "lastbit/train/augment.h"

namespace lastbit {

/// Samples and their labels, ready for a network; both are undefined in an empty batch.
struct Batch {
  torch::Tensor input;  // (batch, sample shape...) float32, or int64 for words
  torch::Tensor
      labels;  // (batch, ...): what the task compares outputs with; classes as (batch) int64

  std::int64_t samples() const { return labels.defined() ? labels.size(0) : 0; }
};

/// A batch on its way: what can be done ahead of time, on another thread, is done.
struct LoadedBatch {
  std::vector<std::int64_t> indices;
  torch::Tensor
      input;  // (batch, the data's sample shape...); undefined if the samples are on the device
  torch::Tensor labels;  // (batch, ...), on the host
};

/// Samples of one part of a data set as batches for a network. Any number of threads may load.
class Batches {
 public:
  virtual ~Batches() = default;

  /// Samples in all.
  virtual std::int64_t size() const noexcept = 0;
  /// Labels that there are.
  virtual std::int64_t classes() const noexcept = 0;
  /// Samples that are tested at a time.
  virtual std::int64_t tested_together() const noexcept = 0;
  /// What is counted while a run goes on, and how many of them a sample is.
  struct Unit {
    std::string_view name = "images";
    std::int64_t each = 1;
  };
  virtual Unit unit() const noexcept { return {}; }

  /// The order in which epoch `epoch` takes the samples: a pure function of its arguments.
  virtual std::vector<std::int64_t> order(std::uint64_t seed, std::int64_t epoch) const;
  /// The part of the work that any thread may do.
  /// @param seed  of what is changed at random for training; none: nothing is.
  virtual LoadedBatch load(std::span<const std::int64_t> indices,
                           const std::optional<AugmentationSeed>& seed) const = 0;
  /// The rest, on the network's device. @param seed  that `load` had.
  virtual Batch ready(const LoadedBatch& loaded,
                      const std::optional<AugmentationSeed>& seed) const = 0;
  /// Whether `load` takes long enough to be worth a thread of its own.
  virtual bool load_is_slow() const noexcept = 0;
  /// A sentence for each sample that could not be read and was left out or replaced, so far.
  virtual std::vector<std::string> skipped() const { return {}; }

  /// Without augmentation.
  Batch gather(std::span<const std::int64_t> indices) const { return ready(load(indices, {}), {}); }
};

/// The order of `size` samples in epoch `epoch`: a pure function of its arguments.
std::vector<std::int64_t> shuffled_order(std::int64_t size, std::uint64_t seed, std::int64_t epoch);

}  // namespace lastbit
