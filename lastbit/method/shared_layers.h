#pragma once

#include <cstddef>
#include <vector>

#include "lastbit/method/weights.h"

namespace lastbit {

/// The layers that have levels and scales in common, by their places in the list; alone those that
/// share with none. In the order of the first of each.
std::vector<std::vector<std::size_t>> shared_layers(const std::vector<ConstrainedWeight>& layers);

}  // namespace lastbit
