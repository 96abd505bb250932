#pragma once

#include "lastbit/graph/graph.h"

namespace lastbit {

/// Bits of the parameters in float32 over their bits in low-bit form, as the papers count them
/// (Carreira-Perpinan and Idelbayev 2017, part II): ceil(log2 K) bits a weight, 32 a scale or a
/// learned level, and 32 for each parameter that stays float. An input's mean is no parameter, and
/// equal learned codebooks are one.
double bit_ratio(const Graph& graph);

}  // namespace lastbit
