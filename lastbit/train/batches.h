#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <torch/types.h>

#include "lastbit/data/dataset.h"
#include "lastbit/graph/tensor.h"

namespace lastbit {

/// Samples and their labels, ready for a network.
struct Batch {
  torch::Tensor input;   // (batch, sample shape...) float32
  torch::Tensor labels;  // (batch) int64
};

/// A data set's samples in the shape that a network takes, on its device.
class Batches {
 public:
  /// @param sample_shape  what the network takes. Equal to the data's shape, or, where a shape is
  /// all in
  ///     one dimension but for ones, as [784] or [1, 784, 1], of as many elements.
  /// @throws InputError naming both shapes if they do not fit.
  Batches(std::shared_ptr<const DatasetSource> source, Shape sample_shape, torch::Device device);

  std::int64_t size() const noexcept { return source_->size(); }
  const DatasetSource& source() const noexcept { return *source_; }
  Batch gather(std::span<const std::int64_t> indices) const;

 private:
  std::shared_ptr<const DatasetSource> source_;
  Shape sample_shape_;
  torch::Device device_;
};

/// The order of `size` samples in epoch `epoch`: a pure function of its arguments.
std::vector<std::int64_t> shuffled_order(std::int64_t size, std::uint64_t seed, std::int64_t epoch);

/// Mean over samples: (channels, 1, 1...) for "channel", the sample's own shape for "pixel".
torch::Tensor mean_sample(const DatasetSource& source, bool by_channel);

}  // namespace lastbit
