#include "lastbit/train/language_modelling.h"

#include <iterator>
#include <utility>

#include <ATen/ATen.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/train/evaluate.h"
#include "lastbit/train/text_batches.h"

namespace lastbit {
namespace {

using States = std::vector<torch::Tensor>;

States zero_states(const Network& network, std::int64_t batch) {
  States states;
  for (std::size_t i = 1; i < network.inputs().size(); ++i) {
    const std::int64_t units = network.inputs()[i].dims.back().size;
    states.push_back(torch::zeros({1, batch, units}, torch::TensorOptions(network.device())));
  }
  return states;
}

struct Reading {
  torch::Tensor logits;  // (steps * batch, words)
  States next;           // detached
};

// @param states  those before the tokens; empty: zeros.
Reading read(Network& network,
             const torch::Tensor& tokens,
             const States& states,
             Precision precision = Precision::kFloat32) {
  std::vector<torch::Tensor> inputs = {tokens.t().contiguous()};
  const States given = states.empty() ? zero_states(network, tokens.size(0)) : states;
  inputs.insert(inputs.end(), given.begin(), given.end());
  std::vector<torch::Tensor> values = network.compute(inputs, precision);
  Reading result{.logits = values.front().flatten(0, 1), .next = {}};
  for (std::size_t i = 1; i < values.size(); ++i) result.next.push_back(values[i].detach());
  return result;
}

torch::Tensor flat_labels(const Batch& batch) { return batch.labels.t().reshape({-1}); }

torch::Tensor cross_entropy_of(const torch::Tensor& logits,
                               const torch::Tensor& labels,
                               at::Reduction::Reduction reduction = at::Reduction::Mean) {
  return at::cross_entropy_loss(logits, labels, {}, reduction, kNoLabel);
}

torch::Tensor misses_of(const torch::Tensor& logits, const torch::Tensor& labels) {
  return logits.detach().argmax(1).ne(labels).logical_and(labels.ne(kNoLabel)).sum();
}

}  // namespace

Measure LanguageModelling::measure() const noexcept {
  return units_ == TextUnits::kWords ? Measure::kPerplexity : Measure::kBits;
}

void LanguageModelling::require_fit(Network& network, const Batches& data) {
  const auto fail = [](const auto&... what) { throw InputError(cat("[data] ", what...)); };
  const std::vector<Value>& inputs = network.inputs();
  if (inputs.empty() || inputs[0].type != DType::kInt64 || inputs[0].dims.size() != 2) {
    fail("the model takes no words, expected a first input int64 [steps, batch]");
  }
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    const std::vector<Dim>& dims = inputs[i].dims;
    if (dims.size() == 3 && dims[0].size == 1 && dims[2].known()) continue;
    fail("the model's input '",
         inputs[i].name,
         "' is ",
         to_string(dims),
         ", expected a state [1, batch, units]");
  }
  const torch::NoGradGuard no_gradient;
  network.set_training(false);
  const Reading found =
      read(network,
           torch::zeros({1, 1}, torch::TensorOptions(torch::kInt64).device(network.device())),
           {});
  network.set_training(true);
  if (found.logits.size(1) != data.classes()) {
    fail("the model tells ",
         found.logits.size(1),
         " words apart, expected the vocabulary's ",
         data.classes());
  }
  if (found.next.size() + 1 != inputs.size()) {
    fail("the model gives ",
         found.next.size(),
         " states for ",
         inputs.size() - 1,
         ", expected as many");
  }
}

BatchLoss LanguageModelling::loss(Network& network,
                                  const Batch& batch,
                                  const LossOptions& options) {
  const torch::Tensor labels = flat_labels(batch);
  Reading own =
      read(network, batch.input, options.carried ? carried_ : States{}, options.precision);
  const torch::Tensor loss = cross_entropy_of(own.logits, labels);
  BatchLoss result{
      .loss = loss,
      .misses = misses_of(own.logits, labels).to(torch::kFloat64) *
                (static_cast<double>(batch.samples()) / static_cast<double>(labels.numel())),
      .target = loss};
  if (options.carried) next_carried_ = std::move(own.next);
  if (options.distillation.teacher == nullptr) return result;

  const torch::NoGradGuard no_gradient_of_teacher;
  Reading taught = read(*options.distillation.teacher,
                        batch.input,
                        options.carried ? taught_ : States{},
                        options.precision);
  if (options.carried) next_taught_ = std::move(taught.next);
  const torch::AutoGradMode gradient(own.logits.requires_grad());
  result.target = distilled_from(options.distillation, taught.logits, own.logits, loss);
  return result;
}

Score LanguageModelling::evaluate(Network& network,
                                  const Batches& data,
                                  Communicator* /*workers*/) {
  const torch::NoGradGuard no_gradient;
  network.set_training(false);
  States states;
  torch::Tensor loss =
      torch::zeros({}, torch::TensorOptions(torch::kFloat64).device(network.device()));
  torch::Tensor misses =
      torch::zeros({}, torch::TensorOptions(torch::kInt64).device(network.device()));
  std::int64_t tokens = 0;
  for_each_batch(data, [&](const Batch& batch) {
    Reading found = read(network, batch.input, states);
    const torch::Tensor labels = flat_labels(batch);
    loss += cross_entropy_of(found.logits, labels, at::Reduction::Sum);
    misses += misses_of(found.logits, labels);
    tokens += labels.numel();
    states = std::move(found.next);
  });
  network.set_training(true);
  const auto total = static_cast<double>(tokens);
  return {.loss = loss.item<double>() / total,
          .error = misses.item<double>() / total,
          .examples = tokens,
          .measure = measure()};
}

void LanguageModelling::advance() {
  carried_ = std::move(next_carried_);
  taught_ = std::move(next_taught_);
}

void LanguageModelling::start_epoch() {
  carried_.clear();
  taught_.clear();
}

std::map<std::string, torch::Tensor> LanguageModelling::state() const {
  std::map<std::string, torch::Tensor> result;
  for (const auto& [name, states] :
       {std::pair("carried.", &carried_), std::pair("taught.", &taught_)}) {
    for (std::size_t i = 0; i < states->size(); ++i) {
      result[cat(name, i)] = (*states)[i].to(torch::kCPU, /*non_blocking=*/false, /*copy=*/true);
    }
  }
  return result;
}

void LanguageModelling::load(const std::map<std::string, torch::Tensor>& state) {
  for (const auto& [name, states] :
       {std::pair("carried.", &carried_), std::pair("taught.", &taught_)}) {
    states->clear();
    for (std::size_t i = 0;; ++i) {
      const auto found = state.find(cat(name, i));
      if (found == state.end()) break;
      states->push_back(found->second.clone());
    }
  }
}

}  // namespace lastbit
