#pragma once

#include <span>

#include "lastbit/runtime/step.h"

namespace lastbit {

/// What a BatchNormalization node does to each channel, with the statistics of training (Ioffe and
/// Szegedy 2015, algorithm 2). @param inputs  of the node, all but the first constant.
ChannelAffine normalization_of(const Node& node, std::span<const Operand> inputs);

}  // namespace lastbit
