#pragma once

#include <cstdint>

#include "lastbit/train/batches.h"
#include "lastbit/train/network.h"

namespace lastbit {

/// Replaces the running mean and variance of every batch norm by the plain average over batches of
/// `data`, taken with the weights as they are: those gathered while the weights were float no
/// longer fit once they are low-bit.
///
/// @param batch  samples in one. @param most  batches at most.
/// @return the batches used; 0 if the network has no batch norm.
std::int64_t reestimate_batch_norm(Network& network,
                                   const Batches& data,
                                   std::int64_t batch,
                                   std::int64_t most,
                                   std::uint64_t seed);

}  // namespace lastbit
