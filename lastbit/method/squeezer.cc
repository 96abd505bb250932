#include "lastbit/method/squeezer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <torch/nn/module.h>
#include <torch/optim/adagrad.h>
#include <torch/optim/lbfgs.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

using torch::optim::Optimizer;

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

void require_at_least(std::int64_t value, std::int64_t least, std::string_view what) {
  if (value >= least) return;
  throw InputError(cat("[squeezer] ", what, " is ", value, ", expected at least ", least));
}

// LBFGS calls the network as it likes, and Adagrad cannot forget what it has summed up.
void check_kind(const Optimizer& optimizer) {
  const bool lbfgs = dynamic_cast<const torch::optim::LBFGS*>(&optimizer) != nullptr;
  const bool adagrad = dynamic_cast<const torch::optim::Adagrad*>(&optimizer) != nullptr;
  if (!lbfgs && !adagrad) return;
  throw InputError(cat("[squeezer] the optimizer is ",
                       lbfgs ? "LBFGS" : "Adagrad",
                       ", expected one of steps that stand alone, as SGD or Adam"));
}

std::size_t group_of(const LowBitParameter& parameter, const Optimizer& optimizer) {
  const auto& groups = optimizer.param_groups();
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const torch::Tensor& held : groups[i].params()) {
      if (held.is_same(parameter.value)) return i;
    }
  }
  throw InputError(cat("[squeezer] the optimizer does not hold the parameter '",
                       parameter.name,
                       "', expected one that moves it"));
}

// How far a gradient of 1 moves a weight in a step in the long run, at a learning rate of 1.
double gain(const torch::optim::OptimizerOptions& options) {
  if (const auto* const sgd = dynamic_cast<const torch::optim::SGDOptions*>(&options)) {
    return (1.0 - sgd->dampening()) / (1.0 - sgd->momentum());
  }
  if (const auto* const rms = dynamic_cast<const torch::optim::RMSpropOptions*>(&options)) {
    return 1.0 / (1.0 - rms->momentum());
  }
  return 1.0;  // Adam's steps are of one size
}

// Multiplies all learning rates, until it goes.
class LoweredRates {
 public:
  LoweredRates(Optimizer& optimizer, double factor) : optimizer_(optimizer) {
    if (factor == 1.0) return;
    for (auto& group : optimizer_.param_groups()) {
      rates_.push_back(group.options().get_lr());
      group.options().set_lr(rates_.back() * factor);
    }
  }
  LoweredRates(const LoweredRates&) = delete;
  LoweredRates& operator=(const LoweredRates&) = delete;
  ~LoweredRates() {
    for (std::size_t i = 0; i < rates_.size(); ++i) {
      optimizer_.param_groups()[i].options().set_lr(rates_[i]);
    }
  }

 private:
  Optimizer& optimizer_;
  std::vector<double> rates_;
};

}  // namespace

std::vector<LowBitParameter> low_bit_parameters(const torch::nn::Module& module,
                                                std::string_view pattern,
                                                std::string_view set) {
  const auto projector = parse_projector(set);
  std::vector<LowBitParameter> found;
  std::vector<std::string> names;
  for (const auto& item : module.named_parameters()) {
    names.push_back(item.key());
    if (item.value().dim() >= 2 && matches(pattern, item.key())) {
      found.push_back({.name = item.key(), .value = item.value(), .set = projector});
    }
  }
  if (found.empty()) {
    throw InputError(cat("[squeezer] no parameter of two or more dimensions matches '",
                         pattern,
                         "', expected some of: ",
                         join(names)));
  }
  return found;
}

// The learning rate of the low-bit weights, and their step size at it.
struct Squeezer::Rate {
  double learning_rate = 0.0;
  double step_size = 0.0;
};

Squeezer::Squeezer(std::vector<LowBitParameter> parameters,
                   std::unique_ptr<Method> method,
                   Optimizer& optimizer,
                   const SqueezerOptions& options)
    : parameters_(std::move(parameters)),
      method_(std::move(method)),
      optimizer_(optimizer),
      options_(options) {
  require_at_least(options_.steps, 1, "steps");
  require_at_least(options_.round_steps, 1, "round_steps");
  require_at_least(options_.epoch_steps, 0, "epoch_steps");
  if (options_.epoch_steps == 0) options_.epoch_steps = options_.steps;
  check_kind(optimizer_);

  std::vector<torch::Tensor> values;
  std::vector<ConstrainedWeight> layers;
  for (const LowBitParameter& parameter : parameters_) {
    const torch::Tensor& value = parameter.value;
    if (parameter.channel_axis < 0 || parameter.channel_axis >= value.dim()) {
      throw InputError(cat("[squeezer] parameter '",
                           parameter.name,
                           "' has its channels on axis ",
                           parameter.channel_axis,
                           ", expected one of its ",
                           value.dim(),
                           " dimensions"));
    }
    if (parameter.set->by_gate()) {
      throw InputError(
          cat("[squeezer] parameter '",
              parameter.name,
              "' has set ",
              parameter.set->name(),
              ", expected one that is not by gate: which rows are a gate's is known of "
              "the layers of a model file alone"));
    }
    groups_.push_back(group_of(parameter, optimizer_));
    values.push_back(value);
    layers.push_back({.name = parameter.name,
                      .layout = channel_layout(value.sizes().vec(), parameter.channel_axis),
                      .set = parameter.set});
  }
  weights_ = Weights::adopt(std::move(values), std::move(layers));
  at_.total_steps = options_.steps;
  at_.total_rounds = divide_up(options_.steps, options_.round_steps);
  at_.round_steps = options_.round_steps;
  const torch::NoGradGuard no_gradient;
  method_->begin(weights_);
}

Squeezer::~Squeezer() = default;

Squeezer::Rate Squeezer::rate() const {
  Rate result;
  for (const std::size_t group : groups_) {
    const auto& options = optimizer_.param_groups()[group].options();
    const double learning_rate = options.get_lr();
    if (learning_rate < result.learning_rate) continue;
    result = {.learning_rate = learning_rate, .step_size = learning_rate * gain(options)};
  }
  return result;
}

torch::Tensor Squeezer::step(const std::function<torch::Tensor()>& backward) {
  if (finished_ || at_.step == at_.total_steps) {
    throw InputError(cat("[squeezer] a step was asked for after ",
                         finished_ ? "finish()" : "the last",
                         ", expected ",
                         at_.total_steps,
                         " steps"));
  }
  const Rate scheduled = rate();
  at_.epoch = at_.step / options_.epoch_steps;
  at_.step_size = scheduled.step_size;
  {
    const torch::NoGradGuard no_gradient;
    at_.learning_rate = method_->learning_rate(at_, scheduled.learning_rate);
  }

  for (int pass = 0; pass < method_->passes(); ++pass) {
    {
      const torch::NoGradGuard no_gradient;
      method_->before_forward(at_, pass);
      zero_gradients();
    }
    const torch::Tensor loss = backward();
    if (!loss.defined() || loss.numel() != 1) {
      throw InputError("[squeezer] the loop's function returned no number, expected its loss");
    }
    const torch::NoGradGuard no_gradient;
    gather_gradients();
    method_->after_backward(at_, pass);
    if (pass == 0) loss_ = loss.detach();
  }

  const torch::NoGradGuard no_gradient;
  {
    const bool lowered = at_.learning_rate != scheduled.learning_rate;
    const LoweredRates rates(optimizer_,
                             lowered ? at_.learning_rate / scheduled.learning_rate : 1.0);
    optimizer_.step();
  }
  ++at_.step;
  in_round_ = true;
  method_->after_step(at_);
  if (at_.step == at_.total_steps || at_.step % options_.round_steps == 0) end_round();
  return loss_;
}

void Squeezer::zero_gradients() {
  for (auto& group : optimizer_.param_groups()) {
    for (torch::Tensor& parameter : group.params()) {
      if (parameter.grad().defined()) parameter.mutable_grad().zero_();
    }
  }
  weights_.gradient.zero_();
}

// Whoever calls zero_grad() in a loop may leave gradients in memory of their own, or none.
void Squeezer::gather_gradients() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    torch::Tensor& parameter = parameters_[i].value;
    const torch::Tensor slice =
        weights_.gradient.narrow(0, weights_.layers[i].offset, parameter.numel())
            .view(parameter.sizes());
    torch::Tensor& gradient = parameter.mutable_grad();
    if (gradient.defined()) {
      if (gradient.data_ptr() == slice.data_ptr()) continue;
      slice.copy_(gradient);
    }
    gradient = slice;
  }
}

void Squeezer::end_round() {
  if (!std::isfinite(loss_.item<double>())) {
    throw WorkError(cat("[squeezer] the loss is no longer finite in step ",
                        at_.step,
                        ", learning rate ",
                        at_.learning_rate,
                        "; a smaller learning rate or penalty helps"));
  }
  residuals_ = method_->end_round(at_);
  if (method_->restarts_optimizer()) optimizer_.state().clear();
  ++at_.round;
  in_round_ = false;
}

void Squeezer::evaluate(const std::function<void()>& work) {
  const torch::Tensor training = weights_.value.clone();
  const auto put_back = [&] {
    const torch::NoGradGuard no_gradient;
    weights_.value.copy_(training);
  };
  decode(weights_.layers, deployed(), weights_.value);
  try {
    work();
  } catch (...) {
    put_back();
    throw;
  }
  put_back();
}

void Squeezer::finish() {
  const torch::NoGradGuard no_gradient;
  if (in_round_) end_round();
  decode(weights_.layers, deployed(), weights_.value);
  finished_ = true;
}

}  // namespace lastbit
