#include "lastbit/train/evaluate.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/train/batch_stream.h"

namespace lastbit {
namespace {

// Puts low-bit weights into the network for as long as it lives.
class Deployed {
 public:
  Deployed(Network& network, const std::vector<Quantized>& low_bit)
      : weights_(network.constrained()), saved_(weights_.value.clone()) {
    decode(weights_.layers, low_bit, weights_.value);
  }
  Deployed(const Deployed&) = delete;
  Deployed& operator=(const Deployed&) = delete;
  ~Deployed() { weights_.value.copy_(saved_); }

 private:
  torch::NoGradGuard no_gradient_;
  Weights weights_;
  torch::Tensor saved_;
};

}  // namespace

BatchLoss cross_entropy(const torch::Tensor& logits, const torch::Tensor& labels) {
  return {.loss = at::cross_entropy_loss(logits, labels),
          .misses = logits.detach().argmax(1).ne(labels).sum()};
}

void for_each_batch(const Batches& data,
                    const std::function<void(const Batch&)>& use,
                    int worker,
                    int workers) {
  // A few hundred, but no more than 64 MiB: samples are also loaded ahead of time.
  constexpr std::int64_t kMostSamples = 500;
  constexpr std::int64_t kMostValues = 1 << 24;
  const std::int64_t sample = element_count(data.source().sample_shape());
  const std::int64_t batch = std::clamp<std::int64_t>(kMostValues / sample, 1, kMostSamples);
  const std::int64_t begin = data.size() * worker / workers;
  std::vector<std::int64_t> order(
      static_cast<std::size_t>(data.size() * (worker + 1) / workers - begin));
  std::iota(order.begin(), order.end(), begin);
  BatchStream stream(data, std::move(order), {.batch = batch});
  while (!stream.done()) use(stream.next());
}

Score evaluate(Network& network, const Batches& data, Communicator* workers) {
  const torch::NoGradGuard no_gradient;
  network.set_training(false);
  torch::Tensor sums = torch::zeros({2}, torch::kFloat64);  // of the loss, of the samples missed
  const auto add = [&](const Batch& batch) {
    const BatchLoss result = cross_entropy(network.forward(batch.input), batch.labels);
    const auto samples = static_cast<double>(batch.labels.numel());
    sums[0] += result.loss.to(torch::kCPU, torch::kFloat64) * samples;
    sums[1] += result.misses.to(torch::kCPU);
  };
  if (workers == nullptr) {
    for_each_batch(data, add);
  } else {
    for_each_batch(data, add, workers->rank(), workers->size());
    workers->sum(sums);
  }
  network.set_training(true);
  const auto total = static_cast<double>(data.size());
  return {.loss = sums[0].item<double>() / total,
          .error = sums[1].item<double>() / total,
          .examples = data.size()};
}

Score evaluate(Network& network,
               const Batches& data,
               const std::vector<Quantized>& low_bit,
               Communicator* workers) {
  const Deployed deployed(network, low_bit);
  return evaluate(network, data, workers);
}

double loss_at(Network& network, const Batch& batch, const torch::Tensor& weights) {
  const torch::NoGradGuard no_gradient;
  torch::Tensor value = network.constrained().value;
  const torch::Tensor saved = value.clone();
  value.copy_(weights);
  network.set_training(false);
  const double loss = cross_entropy(network.forward(batch.input), batch.labels).loss.item<double>();
  network.set_training(true);
  value.copy_(saved);
  return loss;
}

void require_classes(Network& network, const Batches& data) {
  const torch::NoGradGuard no_gradient;
  const std::array<std::int64_t, 1> first = {0};
  network.set_training(false);
  const torch::Tensor logits = network.forward(data.gather(first).input);
  network.set_training(true);
  if (logits.dim() != 2 || logits.size(1) < data.source().classes()) {
    throw InputError(cat("[data] the model's output is ",
                         to_string(logits.sizes().vec()),
                         " for one sample, expected [1, classes] with at least the data's ",
                         data.source().classes(),
                         " classes"));
  }
}

}  // namespace lastbit
