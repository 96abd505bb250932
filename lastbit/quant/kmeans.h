#pragma once

#include <memory>

#include "lastbit/quant/projector.h"

namespace lastbit {

/// The tensors with at most `levels` distinct values, 2 to 256: the levels are learned.
std::shared_ptr<const Projector> make_kmeans(int levels);

}  // namespace lastbit
