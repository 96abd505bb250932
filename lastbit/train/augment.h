#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <torch/types.h>

#include "lastbit/graph/tensor.h"

namespace lastbit {

/// How training images are changed at random in every epoch.
struct Augmentation {
  enum class Crop {
    kNone,
    kPad,      ///< Padded by `amount` on each side with one colour; a crop of the old size.
    kReflect,  ///< The same, padded by reflection without repeating the edge.
    kRandom,   ///< A square of side `amount` anywhere.
    kResized,  ///< A box of 8% to 100% of the area and 3/4 to 4/3 in shape, resized to `amount`.
  };
  Crop crop = Crop::kNone;
  std::int64_t amount = 0;
  bool flip = false;  ///< Left and right are exchanged with probability 1/2.

  /// Reads "none", "flip", or one of pad4, reflect4, crop224 and resized224, alone or with "-flip".
  /// @throws InputError for anything else.
  static Augmentation parse(std::string_view text);

  bool any() const noexcept { return crop != Crop::kNone || flip; }
  /// Whether images become squares of side `amount`, also those that are not augmented.
  bool cuts() const noexcept { return crop == Crop::kRandom || crop == Crop::kResized; }
  /// Of a sample after augmentation.
  /// @throws InputError for samples that are no images, or too small.
  Shape output_shape(const Shape& sample) const;
};

/// Which random numbers are drawn: those of a sample are a pure function of these and its index.
struct AugmentationSeed {
  std::uint64_t seed = 0;
  std::int64_t epoch = 0;
};

/// Augments a batch on its device. What becomes of a sample does not depend on the others.
///
/// @param images  (batch, channels, height, width) float32.
/// @param samples  (batch) indices in the data set, below 2^40.
/// @param fill  (channels) float32 on the same device: the colour of padding; undefined is 0.
torch::Tensor augment(const torch::Tensor& images,
                      const Augmentation& augmentation,
                      std::span<const std::int64_t> samples,
                      const AugmentationSeed& seed,
                      const torch::Tensor& fill);

/// The middle of images (..., height, width) where the augmentation cuts; else the images.
torch::Tensor cut_middle(const torch::Tensor& images, const Augmentation& augmentation);

}  // namespace lastbit
