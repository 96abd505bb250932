#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <torch/types.h>

#include "lastbit/data/dataset.h"
#include "lastbit/graph/tensor.h"
#include "lastbit/train/augment.h"
#include "lastbit/train/batches.h"

namespace lastbit {

/// Where the bytes of a set lie that holds its samples so.
enum class Placement {
  kWhereItPays,  ///< On a GPU, if they are not too many.
  kHost,
  kDevice,
};

/// A data set's samples in the shape that a network takes, on its device. On a GPU, a set that is
/// held as bytes and small enough lies there as a whole.
class SampleBatches : public Batches {
 public:
  /// @param sample_shape  what the network takes. Equal to the data's shape after augmentation, or,
  ///     where a shape is all in one dimension but for ones, as [784] or [1, 784, 1], of as many
  ///     elements.
  /// @param augmentation  what `ready` does if asked to, for training. Where it cuts, samples that
  ///     are not augmented lose their margins, so batches for testing take it too.
  /// @param fill  (channels): the colour of padding; undefined is 0.
  /// @throws InputError naming both shapes if they do not fit.
  SampleBatches(std::shared_ptr<const DatasetSource> source,
                Shape sample_shape,
                torch::Device device,
                const Augmentation& augmentation = {},
                const torch::Tensor& fill = {},
                Placement placement = Placement::kWhereItPays);

  std::int64_t size() const noexcept override { return source_->size(); }
  std::int64_t classes() const noexcept override { return source_->classes(); }
  std::int64_t tested_together() const noexcept override;
  LoadedBatch load(std::span<const std::int64_t> indices,
                   const std::optional<AugmentationSeed>& seed) const override;
  Batch ready(const LoadedBatch& loaded,
              const std::optional<AugmentationSeed>& seed) const override;
  bool load_is_slow() const noexcept override;
  std::vector<std::string> skipped() const override { return source_->skipped(); }

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
