#include "lastbit/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include <torch/utils.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/train/batch_stream.h"
#include "lastbit/train/deployed.h"
#include "lastbit/train/fast_kernels.h"
#include "lastbit/train/gradient_clip.h"

namespace lastbit {
namespace {

constexpr std::int64_t kStepsBetweenReports = 20;  // reading a loss waits for the device

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

void require_positive(std::int64_t value, std::string_view what) {
  if (value <= 0) throw InputError(cat("[train] ", what, " is ", value, ", expected at least 1"));
}

std::int64_t steps_an_epoch(const Batches& train, const TrainerOptions& options) {
  require_positive(options.epochs, "epochs");
  require_positive(options.batch, "batch");
  return divide_up(train.size(), options.batch);
}

}  // namespace

Trainer::Trainer(Network& network,
                 const Batches& train,
                 const Batches& test,
                 TrainerOptions options,
                 Method* method)
    : network_(network),
      train_(train),
      test_(test),
      options_(std::move(options)),
      task_(options_.task == nullptr ? classification_ : *options_.task),
      method_(method),
      optimizer_(make_optimizer(
          options_.optimizer, network.parameters(), network.gradients(), network.matrix_size())),
      parallel_(options_.workers, network),
      rounds_(options_.round,
              steps_an_epoch(train, options_),
              options_.epochs * steps_an_epoch(train, options_)) {
  if (options_.distillation.teacher != nullptr) check(options_.distillation);
  require_precision(options_.precision, network_.device());
  task_.require_fit(network_, train_);
  torch::manual_seed(worker_seed(options_.seed, parallel_.rank()));

  start_epoch(0);
  at_.total_steps = options_.epochs * steps_an_epoch(train_, options_);
  at_.total_rounds = rounds_.total();
  at_.round_steps = rounds_.steps(0);
  if (method_ != nullptr) {
    const torch::NoGradGuard no_gradient;
    method_->begin(network_.constrained());
  }
}

void Trainer::run(const Observer& observer) {
  for (;;) {
    run_epoch(observer);
    if (at_.epoch + 1 >= options_.epochs || feasible_) return;
    start_epoch(at_.epoch + 1);
  }
}

void Trainer::start_epoch(std::int64_t epoch) {
  loss_sum_ = torch::zeros({}, torch::TensorOptions(torch::kFloat64).device(network_.device()));
  miss_sum_ = torch::zeros({}, torch::TensorOptions(torch::kFloat64).device(network_.device()));
  samples_ = 0;
  seconds_ = 0.0;
  at_.epoch = epoch;
  task_.start_epoch();
}

void Trainer::run_epoch(const Observer& observer) {
  const auto start = std::chrono::steady_clock::now();
  const double seconds_before = seconds_;
  const auto seconds = [&] {
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    return seconds_before + taken.count();
  };
  BatchStream stream(train_,
                     train_.order(options_.seed, at_.epoch),
                     {.batch = options_.batch,
                      .begin = samples_,
                      .worker = parallel_.rank(),
                      .workers = parallel_.size(),
                      .augmentation = AugmentationSeed{options_.seed, at_.epoch}});
  const auto mean = [&](const torch::Tensor& sum) {
    return sum.item<double>() / static_cast<double>(samples_);
  };

  while (!stream.done() && !feasible_) {
    const std::int64_t count = std::min(options_.batch, train_.size() - samples_);
    if (!parallel_.alone()) stopping_ = observer.stop && observer.stop();
    parallel_.begin_step();
    try {
      step(stream.next(), count);
    } catch (const LostWorker&) {
      parallel_.restore();
      throw;
    }
    const bool last = stream.done();
    if (rounds_.ends_at(at_.step)) end_round(observer);
    if (last || at_.step % kStepsBetweenReports == 0) {
      require_finite();
      if (observer.step)
        observer.step(
            {at_, samples_, mean(loss_sum_), mean(miss_sum_), task_.measure(), residuals_});
    }
    seconds_ = seconds();
    if (observer.between_steps) observer.between_steps();
    if (parallel_.alone()) stopping_ = observer.stop && observer.stop();
    if (stopping_) {
      throw WorkError(
          cat("[train] stopped on request in epoch ", at_.epoch + 1, " of ", options_.epochs));
    }
  }

  parallel_.require_same(cat("after epoch ", at_.epoch + 1));
  if (!observer.epoch) return;
  observer.epoch({.epoch = at_.epoch + 1,
                  .loss = mean(loss_sum_),
                  .error = mean(miss_sum_),
                  .test = test(),
                  .residuals = residuals_,
                  .learning_rate = at_.learning_rate,
                  .seconds = seconds_,
                  .waited = stream.waited(),
                  .feasible = feasible_});
}

void Trainer::step(const Batch& batch, std::int64_t samples) {
  at_.learning_rate = options_.learning_rate.at(at_, Over::kSteps);
  at_.step_size = optimizer_->step_size(at_.learning_rate);
  if (method_ != nullptr) at_.learning_rate = method_->learning_rate(at_, at_.learning_rate);
  BatchLoss sums;  // at the weights of the step: the first pass's
  const int passes = method_ == nullptr ? 1 : method_->passes();
  for (int pass = 0; pass < passes; ++pass) {
    if (method_ != nullptr) {
      const torch::NoGradGuard no_gradient;
      method_->before_forward(at_, pass);
    }
    network_.gradients().zero_();
    parallel_.begin_backward();
    const std::int64_t own = batch.samples();
    BatchLoss result = own == 0 ? BatchLoss{} : backward(batch, samples);

    const torch::NoGradGuard no_gradient;
    if (!parallel_.alone()) result = reduce(result, own, samples);
    if (options_.clip > 0.0) clip_gradient(network_.gradients(), options_.clip);
    if (method_ != nullptr) method_->after_backward(at_, pass);
    if (pass == 0) sums = result;
  }
  const torch::NoGradGuard no_gradient;
  loss_sum_ += sums.loss;
  miss_sum_ += sums.misses;
  samples_ += samples;
  optimizer_->step(at_.learning_rate);
  ++at_.step;
  task_.advance();
  if (method_ != nullptr) method_->after_step(at_);
}

BatchLoss Trainer::backward(const Batch& batch, std::int64_t samples) {
  const Tf32Scope tf32(options_.precision);
  const FastKernels fast(options_.precision, network_.device());
  const BatchLoss result = task_.loss(
      network_,
      batch,
      {.precision = options_.precision, .distillation = options_.distillation, .carried = true});
  const auto own = static_cast<double>(batch.samples());
  torch::Tensor target = result.target;
  if (!parallel_.alone()) target = target * (own / static_cast<double>(samples));
  target.backward();
  return {.loss = result.loss.detach().to(torch::kFloat64) * own, .misses = result.misses};
}

BatchLoss Trainer::reduce(const BatchLoss& own, std::int64_t own_samples, std::int64_t samples) {
  const torch::Tensor none = torch::zeros_like(loss_sum_);
  const DataParallel::Sums sums =
      parallel_.reduce({.loss = own_samples > 0 ? own.loss : none,
                        .misses = own_samples > 0 ? own.misses.to(torch::kFloat64) : none,
                        .stop = stopping_},
                       static_cast<double>(own_samples) / static_cast<double>(samples));
  stopping_ = sums.stop;
  return {.loss = sums.loss, .misses = sums.misses};
}

void Trainer::end_round(const Observer& observer) {
  if (method_ == nullptr) return;
  require_finite();
  const torch::NoGradGuard no_gradient;
  residuals_ = method_->end_round(at_);
  if (method_->restarts_optimizer()) optimizer_->reset();
  if (observer.round) report_round(observer);
  ++at_.round;
  at_.round_steps = rounds_.steps(at_.round);
  feasible_ = residuals_->primal <= options_.feasible && options_.feasible > 0.0;
}

void Trainer::report_round(const Observer& observer) {
  RoundReport report{.at = at_, .residuals = *residuals_};
  if (options_.probe > 0) {
    if (probe_.empty()) load_probe();
    torch::Tensor low_bit = torch::empty_like(network_.constrained().value);
    decode(network_.constrained_layers(), method_->deployed(), low_bit);
    report.probed = true;
    report.loss = loss_at(task_, network_, probe_, method_->seen(at_));
    report.low_bit_loss = loss_at(task_, network_, probe_, low_bit);
  }
  observer.round(report);
}

void Trainer::load_probe() {
  std::vector<std::int64_t> indices = shuffled_order(train_.size(), options_.seed, 0);
  indices.resize(std::min(indices.size(), static_cast<std::size_t>(options_.probe)));
  const auto together = static_cast<std::size_t>(train_.tested_together());
  for (std::size_t i = 0; i < indices.size(); i += together) {
    probe_.push_back(
        train_.gather(std::span(indices).subspan(i, std::min(together, indices.size() - i))));
  }
}

void Trainer::require_finite() const {
  if (std::isfinite(loss_sum_.item<double>())) return;
  throw WorkError(cat("[train] the loss is no longer finite in epoch ",
                      at_.epoch + 1,
                      ", step ",
                      at_.step,
                      ", learning rate ",
                      at_.learning_rate,
                      "; a smaller learning rate or penalty helps"));
}

Score Trainer::test() const {
  std::optional<Deployed> deployed;
  if (method_ != nullptr) deployed.emplace(network_, method_->deployed());
  return task_.evaluate(network_, test_, options_.workers);
}

}  // namespace lastbit
