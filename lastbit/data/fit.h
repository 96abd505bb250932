#pragma once

#include <cstdint>
#include <span>

namespace lastbit {

/// Checks that samples of shape `data` can be fed to a network that takes `model`: equal shapes, or
/// as many elements where one of the two is a plain vector but for ones, as [784] or [1, 784, 1].
/// @throws InputError naming both shapes.
void require_fit(std::span<const std::int64_t> data, std::span<const std::int64_t> model);

}  // namespace lastbit
