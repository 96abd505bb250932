#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/method/residuals.h"
#include "lastbit/method/schedule.h"
#include "lastbit/method/weights.h"

namespace lastbit {

/// A way for weights to reach their low-bit sets. Sees weights and gradients, never the network,
/// the loss or the data.
///
/// Calls come in the order of declaration: `begin` once; for each optimizer step, `learning_rate`,
/// then `passes()` times before_forward, (forward, backward), after_backward; then (optimizer),
/// after_step; after each round end_round. Gradients are disabled during every call.
class Method {
 public:
  virtual ~Method() = default;

  virtual std::string_view name() const noexcept = 0;

  /// Takes hold of the weights; `weights.value` is the float reference.
  /// @throws InputError naming a layer whose codebook the method cannot take.
  virtual void begin(Weights weights) = 0;

  /// The rate of the coming step where the schedule says `scheduled`; a method may lower it.
  virtual double learning_rate(const Progress& /*at*/, double scheduled) const { return scheduled; }

  /// Forward and backward passes that make one optimizer step, all on the same batch.
  virtual int passes() const noexcept { return 1; }

  /// May put other weights in place of the value, for the network to see.
  virtual void before_forward(const Progress& /*at*/, int /*pass*/) {}
  /// May add to the gradient and, between passes, move the weights.
  virtual void after_backward(const Progress& /*at*/, int /*pass*/) {}
  virtual void after_step(const Progress& /*at*/) {}
  virtual Residuals end_round(const Progress& at) = 0;

  /// Whether each round starts with a new optimizer, its momentum forgotten.
  virtual bool restarts_optimizer() const noexcept { return false; }

  /// The float weights (total) that the network sees in training at this moment: the value itself,
  /// or what `before_forward` would make of it. May be a view of the value.
  virtual torch::Tensor seen(const Progress& at) const = 0;

  /// What is evaluated and what is packed: one for each layer.
  virtual const std::vector<Quantized>& deployed() const noexcept = 0;

  /// Copies of all that must be saved, beside the weights, to go on later as if never stopped.
  /// `load` takes it back after `begin`.
  virtual std::map<std::string, torch::Tensor> state() const = 0;
  virtual void load(const std::map<std::string, torch::Tensor>& state) = 0;
};

}  // namespace lastbit
