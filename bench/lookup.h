#pragma once

#include "lastbit/runtime/kernels/kernel_set.h"

namespace lastbit {

/// Declares the benchmarks of a set's sums by lookup, if it has those kernels.
void declare_lookups(const KernelSet& set);

}  // namespace lastbit
