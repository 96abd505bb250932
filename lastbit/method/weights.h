#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

#include "lastbit/quant/projector.h"
#include "lastbit/quant/quantized.h"

namespace lastbit {

/// One constrained layer: a slice of the flat tensors of `Weights`, and the set it must end in.
struct ConstrainedWeight {
  std::string name;
  std::int64_t offset = 0;  // of its first element
  ChannelLayout layout;     // layout.size() elements
  std::shared_ptr<const Projector> set;
  /// Layers of one number, not negative, share levels and scale; all have the same set, whose scale
  /// is none or per tensor.
  int shared = -1;
};

/// The weights that must become low-bit, all layers in one tensor, so that penalties and dual
/// updates are a few vector operations whatever the number of layers.
struct Weights {
  torch::Tensor value;                    // (total) float32, the memory that the network reads
  torch::Tensor gradient;                 // (total) float32, the memory that backward adds to
  std::vector<ConstrainedWeight> layers;  // in the order of their offsets

  std::int64_t size() const { return value.numel(); }

  /// Moves parameters of a network of any making into one flat tensor: each keeps its shape and
  /// becomes a view of it, and so does its gradient.
  ///
  /// @param parameters  float32, on one device. Their `layers` offsets are set here.
  /// @throws InputError if there is none, or the sizes or types do not fit.
  static Weights adopt(std::vector<torch::Tensor> parameters,
                       std::vector<ConstrainedWeight> layers);
};

/// The nearest point of each layer's set to the corresponding slice of `flat` (total); layers that
/// share a codebook are projected as one. Weights on the CPU are projected in `quant`, others where
/// they are (see project_on_device).
///
/// @param start  an earlier result, one for each layer, from which learned codebooks set out; null
///     to search for the best of all.
std::vector<Quantized> project(const std::vector<ConstrainedWeight>& layers,
                               const torch::Tensor& flat,
                               const std::vector<Quantized>* start = nullptr);

/// Writes the decoded weights of all layers into `flat` (total).
void decode(const std::vector<ConstrainedWeight>& layers,
            const std::vector<Quantized>& quantized,
            torch::Tensor& flat);

/// The values of a float32 tensor, from whatever device.
std::vector<float> floats(const torch::Tensor& tensor);

}  // namespace lastbit
