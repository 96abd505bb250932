#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <torch/types.h>

#include "lastbit/method/groups.h"

namespace lastbit {

/// What `refit` and `decode` do, by tensor operations on the device of the weights, without waiting
/// for it.
class DeviceRefit {
 public:
  /// @param low_bit  one for each layer; what `refit` would start from.
  /// @return null where the groups of a layer are not runs of memory of one length.
  static std::unique_ptr<DeviceRefit> make(const std::vector<ConstrainedWeight>& layers,
                                           const std::vector<Quantized>& low_bit,
                                           torch::Device device);

  /// Moves scales and learned levels to the best ones for `flat` (total), and writes there what the
  /// codes stand for with them.
  void move(torch::Tensor& flat);

  /// Copies scales and learned levels from the device into `low_bit`.
  void read(std::vector<Quantized>& low_bit) const;

 private:
  enum class Moving { kNothing, kScales, kLevels };

  struct Layer {
    std::size_t place = 0;  // in the list of layers
    Groups groups;
    torch::Tensor codes;   // (before, groups, after) int64, where levels move
    torch::Tensor levels;  // (before, groups, after) float32, of the codes, where they do not
  };
  // The layers of `shared_layers`.
  struct Part {
    Moving what = Moving::kNothing;
    std::vector<Layer> layers;
    torch::Tensor moving;  // float32: scales (groups), or levels (levels)
    torch::Tensor sizes;   // float64: <l, l> of each scale, or the weights of each level
  };

  static Part part_of(const std::vector<std::size_t>& members,
                      const std::vector<ConstrainedWeight>& layers,
                      const std::vector<Quantized>& low_bit,
                      torch::Device device);
  static void move_scales(Part& part, torch::Tensor& flat);
  static void move_levels(Part& part, torch::Tensor& flat);

  std::vector<Part> parts_;
};

}  // namespace lastbit
