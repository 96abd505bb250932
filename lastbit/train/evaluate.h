#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "lastbit/quant/quantized.h"
#include "lastbit/train/batches.h"
#include "lastbit/train/communicator.h"
#include "lastbit/train/network.h"

namespace lastbit {

struct Score {
  double loss = 0.0;   ///< mean cross-entropy, nats a sample
  double error = 0.0;  ///< share of samples whose largest output is not their label, in [0, 1]
  std::int64_t examples = 0;
};

/// Mean cross-entropy of `logits` (batch, classes) and how many rows miss their label.
struct BatchLoss {
  torch::Tensor loss;    // () with gradient
  torch::Tensor misses;  // () int64
};
BatchLoss cross_entropy(const torch::Tensor& logits, const torch::Tensor& labels);

/// Calls `use` on all samples in their order, a few hundred at a time.
/// @param worker, workers  worker number `worker` of so many takes its share of them.
void for_each_batch(const Batches& data,
                    const std::function<void(const Batch&)>& use,
                    int worker = 0,
                    int workers = 1);

/// Runs the network over all samples with batch norm and dropout as in use.
/// @param workers  share the samples, all calling this; null: alone.
Score evaluate(Network& network, const Batches& data, Communicator* workers = nullptr);

/// The same with the low-bit weights in the float weights' place, which are put back afterwards.
Score evaluate(Network& network,
               const Batches& data,
               const std::vector<Quantized>& low_bit,
               Communicator* workers = nullptr);

/// Mean cross-entropy of a batch with `weights` (total) in the low-bit weights' place for the time
/// of the call, batch norm and dropout as in use.
double loss_at(Network& network, const Batch& batch, const torch::Tensor& weights);

/// @throws InputError if the network has fewer outputs than the data has classes.
void require_classes(Network& network, const Batches& data);

}  // namespace lastbit
