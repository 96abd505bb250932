#pragma once

#include <memory>
#include <vector>

#include "lastbit/method/method.h"

namespace lastbit {

/// The finish of every method: codes stay, scales and learned levels move, and with them all
/// parameters that are not low-bit.
///
/// After each optimizer step the weights return to the nearest point with these codes (`refit`).
/// That is gradient descent on scales and levels.
/// @param start  one for each layer of the weights it will be given.
std::unique_ptr<Method> make_fixed_codes(std::vector<Quantized> start);

}  // namespace lastbit
