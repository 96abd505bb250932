#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/method/schedule.h"
#include "lastbit/method/weights.h"

namespace lastbit {

/// How far the weights are from their sets after a round.
struct Residuals {
  double primal = 0.0;   ///< ||w - z|| / ||w||, z the low-bit point
  double dual = 0.0;     ///< ||z - z of the round before|| / ||w||
  double flipped = 0.0;  ///< share of codes that changed in the round
  double penalty = 0.0;  ///< rho (ADMM) or its like in another method; 0 where there is none
};

/// A way for weights to reach their low-bit sets. Sees weights and gradients, never the network,
/// the loss or the data.
///
/// Calls come in the order of declaration: `begin` once; for each optimizer step, `passes()` times
/// before_forward, (forward, backward), after_backward; then (optimizer), after_step; after each
/// round end_round. Gradients are disabled during every call.
class Method {
 public:
  virtual ~Method() = default;

  virtual std::string_view name() const noexcept = 0;

  /// Takes hold of the weights; `weights.value` is the float reference.
  virtual void begin(Weights weights) = 0;

  /// Forward and backward passes that make one optimizer step, all on the same batch.
  virtual int passes() const noexcept { return 1; }

  virtual void before_forward(const Progress& /*at*/, int /*pass*/) {}
  /// May add to the gradient and, between passes, move the weights.
  virtual void after_backward(const Progress& /*at*/, int /*pass*/) {}
  virtual void after_step(const Progress& /*at*/) {}
  virtual Residuals end_round(const Progress& at) = 0;

  /// What is evaluated and what is packed: one for each layer.
  virtual const std::vector<Quantized>& deployed() const noexcept = 0;

  /// Copies of all that must be saved, beside the weights, to go on later as if never stopped.
  /// `load` takes it back after `begin`.
  virtual std::map<std::string, torch::Tensor> state() const = 0;
  virtual void load(const std::map<std::string, torch::Tensor>& state) = 0;
};

}  // namespace lastbit
