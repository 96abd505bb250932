#pragma once

#include <array>
#include <span>

#include "lastbit/detect/box.h"
#include "lastbit/detect/priors.h"

namespace lastbit {

/// What offsets are divided by, so that a network's outputs are of size 1.
struct Variances {
  double centre = 0.1;
  double size = 0.2;
};

/// A box as offsets from a prior (Liu et al. 2016, equation 2, with variances):
/// (x - px) / (pw centre), (y - py) / (ph centre), log(w / pw) / size, log(h / ph) / size.
/// `box` has area, and its edges are parts of the image as the prior's are.
std::array<float, 4> encode_box(const Box& box,
                                const CentredBox& prior,
                                const Variances& variances);

/// The box that `encode_box` made offsets of.
Box decode_box(std::span<const float, 4> offsets,
               const CentredBox& prior,
               const Variances& variances);

}  // namespace lastbit
