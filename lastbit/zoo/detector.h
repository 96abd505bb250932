#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lastbit/detect/priors.h"
#include "lastbit/graph/graph.h"
#include "lastbit/zoo/builder.h"

namespace lastbit {

/// A stage of a detector's trunk: a convolution with batch norm and its activation.
struct TrunkLayer {
  std::string name;  ///< as "conv8_1"
  std::int64_t channels = 0;
  SquareWindow window;
  float slope = 0.0F;  ///< of a leaky ReLU; 0: ReLU
};
/// Appends "conv8_1", "bn8_1" and "act8_1" for a layer called "conv8_1".
void append_normalized(NetworkBuilder& network, const TrunkLayer& layer);

/// Gives a trunk the ends of an SSD detector (Liu et al. 2016, section 2.1), which are:
///
/// - for map k a convolution of 3 x 3 "offsets<k>" with four channels for each prior of a cell, and
///   "classes<k>" with one for each class and one for "nothing", which is class 0;
/// - of all maps together the values that training looks at: "offsets" [batch, priors, 4], as
///   `encode_box` makes them, and "class_logits" [batch, priors, classes + 1];
/// - the outputs "boxes" [batch, priors, 4] as top, left, bottom, right in parts of the image,
///   "scores" [batch, classes, priors], and "selected" [n, 3], rows of image, class and box that
///   non-maximum suppression leaves.
///
/// The priors are the constant "priors" [priors, 4]: middle (x, y), width, height.
/// @param places  the maps, from the finest.
/// @param maps  their priors; the sides are those of `places`.
Graph finish_detector(NetworkBuilder& network,
                      std::span<const NetworkBuilder::Place> places,
                      std::span<const PriorMap> maps,
                      std::int64_t classes);

/// @throws InputError unless the input is [3, side, side].
void require_square(std::string_view network, const ZooOptions& options, std::int64_t side);

}  // namespace lastbit
