#pragma once

#include <string>

#include "lastbit/runtime/kernels/kernel_set.h"

namespace lastbit {

/// The set that runs under this name, or for "fastest" the one that the environment variable
/// LASTBIT_KERNELS names, and without it the fastest that this processor has.
/// @throws InputError listing the sets that run here, for any other name.
const KernelSet& find_kernels(const std::string& name);

}  // namespace lastbit
