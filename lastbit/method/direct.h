#pragma once

#include <memory>

#include "lastbit/method/method.h"

namespace lastbit {

/// Direct compression: the nearest low-bit point of the reference and no training (LC's starting
/// point, Carreira-Perpinan and Idelbayev 2017, "DC").
std::unique_ptr<Method> make_direct_compression();

}  // namespace lastbit
