#pragma once

#include <memory>
#include <vector>

#include "lastbit/method/method.h"

namespace lastbit {

/// The finish of every method: codes stay, scales are learned, and with them all parameters that
/// are not low-bit.
///
/// After each optimizer step the weights return to the nearest point with these codes: the scale of
/// a group is a = <w, l> / <l, l>, l its levels (the closed form of the papers' alternating
/// projection for fixed codes; Leng et al. 2017, equation (16)). That is gradient descent on the
/// scales.
/// @param start  one for each layer of the weights it will be given.
std::unique_ptr<Method> make_fixed_codes(std::vector<Quantized> start);

/// Sets each scale to the best one for the codes as they are, given `weights` (layout.size()).
/// Scales stay positive: one that would not keeps its value. kNone is left as it is.
void refit_scales(Quantized& quantized, const float* weights);

}  // namespace lastbit
