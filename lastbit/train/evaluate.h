#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "lastbit/quant/quantized.h"
#include "lastbit/train/batches.h"
#include "lastbit/train/communicator.h"
#include "lastbit/train/network.h"
#include "lastbit/train/task.h"

namespace lastbit {

/// Mean cross-entropy of `logits` (batch, classes) and how many rows miss their label.
BatchLoss cross_entropy(const torch::Tensor& logits, const torch::Tensor& labels);

/// Calls `use` on all samples in their order, as many at a time as are tested together.
/// @param worker, workers  worker number `worker` of so many takes its share of them.
void for_each_batch(const Batches& data,
                    const std::function<void(const Batch&)>& use,
                    int worker = 0,
                    int workers = 1);

/// The score as a classifier over all samples, with batch norm and dropout as in use.
/// @param workers  share the samples, all calling this; null: alone.
Score evaluate(Network& network, const Batches& data, Communicator* workers = nullptr);

/// The same with the low-bit weights in the float weights' place, which are put back afterwards.
Score evaluate(Network& network,
               const Batches& data,
               const std::vector<Quantized>& low_bit,
               Communicator* workers = nullptr);

/// The mean loss of batches that stand alone, with `weights` (total) in the low-bit weights' place
/// for the time of the call, batch norm and dropout as in use.
double loss_at(Task& task,
               Network& network,
               std::span<const Batch> batches,
               const torch::Tensor& weights);

}  // namespace lastbit
