#pragma once

#include <span>

#include "lastbit/quant/codebook.h"

namespace lastbit {

/// A scale that no step of alternating projection improves: codes by rounding at the scale, then
/// the scale by least squares, <w, l> / <l, l>, until the codes stay. A local optimum, from
/// `start`.
///
/// Source: Leng et al., "Extremely Low Bit Neural Network" (AAAI 2018), section 3.2;
/// Carreira-Perpinan and Idelbayev, arXiv 1707.04319, adaptive scale of a fixed codebook.
///
/// @param importance  of each weight, some above 0; empty: all equal.
/// @param start       positive; otherwise the mean magnitude.
float alternating_scale(std::span<const float> weights,
                        std::span<const float> importance,
                        const Codebook& levels,
                        float start);

}  // namespace lastbit
