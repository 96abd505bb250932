#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <torch/types.h>

#include "lastbit/data/dataset.h"
#include "lastbit/graph/tensor.h"
#include "lastbit/train/augment.h"

namespace lastbit {

/// Samples and their labels, ready for a network.
struct Batch {
  torch::Tensor input;   // (batch, sample shape...) float32
  torch::Tensor labels;  // (batch) int64
};

/// A batch on its way: what can be done ahead of time, on another thread, is done.
struct LoadedBatch {
  std::vector<std::int64_t> indices;
  torch::Tensor
      input;  // (batch, the data's sample shape...); undefined if the samples are on the device
  torch::Tensor labels;  // (batch) int64, on the host
};

/// Where the bytes of a set lie that holds its samples so.
enum class Placement {
  kWhereItPays,  ///< On a GPU, if they are not too many.
  kHost,
  kDevice,
};

/// A data set's samples in the shape that a network takes, on its device. On a GPU, a set that is
/// held as bytes and small enough lies there as a whole.
class Batches {
 public:
  /// @param sample_shape  what the network takes. Equal to the data's shape after augmentation, or,
  ///     where a shape is all in one dimension but for ones, as [784] or [1, 784, 1], of as many
  ///     elements.
  /// @param augmentation  what `ready` does if asked to, for training. Where it cuts, samples that
  ///     are not augmented lose their margins, so batches for testing take it too.
  /// @param fill  (channels): the colour of padding; undefined is 0.
  /// @throws InputError naming both shapes if they do not fit.
  Batches(std::shared_ptr<const DatasetSource> source,
          Shape sample_shape,
          torch::Device device,
          const Augmentation& augmentation = {},
          const torch::Tensor& fill = {},
          Placement placement = Placement::kWhereItPays);

  std::int64_t size() const noexcept { return source_->size(); }
  const DatasetSource& source() const noexcept { return *source_; }
  /// Without augmentation.
  Batch gather(std::span<const std::int64_t> indices) const { return ready(load(indices), {}); }

  /// The part of the work that any thread may do.
  LoadedBatch load(std::span<const std::int64_t> indices) const;
  /// The rest, on the network's device. @param seed  none: without augmentation.
  Batch ready(const LoadedBatch& loaded, const std::optional<AugmentationSeed>& seed) const;
  /// Whether `load` takes long enough to be worth a thread of its own.
  bool load_is_slow() const noexcept;

 private:
  std::shared_ptr<const DatasetSource> source_;
  Shape data_shape_;
  Shape sample_shape_;
  torch::Device device_;
  Augmentation augmentation_;
  torch::Tensor fill_;
  torch::Tensor resident_;  // (size, values of a sample) uint8 on the device, or undefined
  torch::Tensor values_;    // (256): what a byte stands for
};

/// The order of `size` samples in epoch `epoch`: a pure function of its arguments.
std::vector<std::int64_t> shuffled_order(std::int64_t size, std::uint64_t seed, std::int64_t epoch);

/// Mean over samples: (channels, 1, 1...) by channel, as which each number of a vector counts, or
/// else in the sample's own shape. Of a set that is read from files for each batch, 10,000 samples
/// stand for all.
torch::Tensor mean_sample(const DatasetSource& source, bool by_channel);

/// Of all values of a channel, over the same samples: each (channels, 1, 1...).
struct ChannelStatistics {
  torch::Tensor mean;
  torch::Tensor deviation;  ///< the standard one; 0 where all values are equal
};
ChannelStatistics statistics_by_channel(const DatasetSource& source);

}  // namespace lastbit
