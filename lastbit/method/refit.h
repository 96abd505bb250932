#pragma once

#include <vector>

#include "lastbit/method/weights.h"

namespace lastbit {

/// Whether the levels were learned: by the set, or by a method in place of fixed ones.
bool has_learned_levels(const ConstrainedWeight& layer, const Quantized& quantized);

/// Sets scales, or the levels of learned codebooks, to the least-squares ones for the codes as they
/// are.
///
/// A scale is a = <w, l> / <l, l>, l the levels of its weights (the closed form of the papers'
/// alternating projection; Leng et al. 2017, equation (16)); one that would not be positive keeps
/// its value. A learned level, of a set without fixed ones, is the mean of its weights
/// (Carreira-Perpinan and Idelbayev 2017, the centroid step); levels that would no longer ascend
/// keep their values. Layers that share a codebook are fitted as one. Levels without a scale
/// stay as they are.
///
/// @param low_bit  one for each layer. @param flat  (total), on the CPU.
void refit(const std::vector<ConstrainedWeight>& layers,
           std::vector<Quantized>& low_bit,
           const float* flat);

}  // namespace lastbit
