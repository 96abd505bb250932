#include "lastbit/train/classification.h"

#include <array>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/train/evaluate.h"

namespace lastbit {

void Classification::require_fit(Network& network, const Batches& data) {
  const torch::NoGradGuard no_gradient;
  const std::array<std::int64_t, 1> first = {0};
  network.set_training(false);
  const torch::Tensor logits = network.forward(data.gather(first).input);
  network.set_training(true);
  if (logits.dim() != 2 || logits.size(1) < data.classes()) {
    throw InputError(cat("[data] the model's output is ",
                         to_string(logits.sizes().vec()),
                         " for one sample, expected [1, classes] with at least the data's ",
                         data.classes(),
                         " classes"));
  }
}

BatchLoss Classification::loss(Network& network, const Batch& batch, const LossOptions& options) {
  const torch::Tensor logits = network.forward(batch.input, options.precision);
  BatchLoss result = cross_entropy(logits, batch.labels);
  if (options.distillation.teacher != nullptr) {
    result.target =
        distilled(options.distillation, batch.input, logits, result.loss, options.precision);
  }
  return result;
}

Score Classification::evaluate(Network& network, const Batches& data, Communicator* workers) {
  const torch::NoGradGuard no_gradient;
  network.set_training(false);
  // Of the loss, of the samples missed; on the device, so that batches do not wait for each other.
  torch::Tensor sums =
      torch::zeros({2}, torch::TensorOptions(torch::kFloat64).device(network.device()));
  const auto add = [&](const Batch& batch) {
    const BatchLoss result = cross_entropy(network.forward(batch.input), batch.labels);
    const auto samples = static_cast<double>(batch.labels.numel());
    sums[0] += result.loss.to(torch::kFloat64) * samples;
    sums[1] += result.misses;
  };
  if (workers == nullptr) {
    for_each_batch(data, add);
  } else {
    for_each_batch(data, add, workers->rank(), workers->size());
  }
  sums = sums.to(torch::kCPU);
  if (workers != nullptr) workers->sum(sums);
  network.set_training(true);
  const auto total = static_cast<double>(data.size());
  return {.loss = sums[0].item<double>() / total,
          .error = sums[1].item<double>() / total,
          .examples = data.size()};
}

}  // namespace lastbit
