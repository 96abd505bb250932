#include "lastbit/train/evaluate.h"

#include <cstddef>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>

#include "lastbit/train/batch_stream.h"
#include "lastbit/train/classification.h"
#include "lastbit/train/deployed.h"

namespace lastbit {

BatchLoss cross_entropy(const torch::Tensor& logits, const torch::Tensor& labels) {
  const torch::Tensor loss = at::cross_entropy_loss(logits, labels);
  return {.loss = loss, .misses = logits.detach().argmax(1).ne(labels).sum(), .target = loss};
}

void for_each_batch(const Batches& data,
                    const std::function<void(const Batch&)>& use,
                    int worker,
                    int workers) {
  const std::int64_t begin = data.size() * worker / workers;
  std::vector<std::int64_t> order(
      static_cast<std::size_t>(data.size() * (worker + 1) / workers - begin));
  std::iota(order.begin(), order.end(), begin);
  BatchStream stream(data, std::move(order), {.batch = data.tested_together()});
  while (!stream.done()) use(stream.next());
}

Score evaluate(Network& network, const Batches& data, Communicator* workers) {
  return Classification().evaluate(network, data, workers);
}

Score evaluate(Network& network,
               const Batches& data,
               const std::vector<Quantized>& low_bit,
               Communicator* workers) {
  const Deployed deployed(network, low_bit);
  return evaluate(network, data, workers);
}

double loss_at(Task& task,
               Network& network,
               std::span<const Batch> batches,
               const torch::Tensor& weights) {
  const torch::NoGradGuard no_gradient;
  torch::Tensor value = network.constrained().value;
  const torch::Tensor saved = value.clone();
  value.copy_(weights);
  network.set_training(false);
  torch::Tensor loss = torch::zeros({}, value.options().dtype(torch::kFloat64));
  double samples = 0.0;
  for (const Batch& batch : batches) {
    const auto count = static_cast<double>(batch.samples());
    loss += count * task.loss(network, batch, {}).loss.to(torch::kFloat64);
    samples += count;
  }
  network.set_training(true);
  value.copy_(saved);
  return loss.item<double>() / samples;
}

}  // namespace lastbit
