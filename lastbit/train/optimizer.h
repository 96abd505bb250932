#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <torch/types.h>

namespace lastbit {

struct OptimizerOptions {
  std::string name = "sgd";  ///< a row of `optimizers()`
  double momentum = 0.9;     ///< SGD's, in [0, 1)
  bool nesterov = true;      ///< SGD's look-ahead form; needs momentum
  double beta1 = 0.9;        ///< Adam's, of the mean
  double beta2 = 0.999;      ///< Adam's, of the square
  double epsilon = 1e-8;     ///< Adam's
  double weight_decay =
      0.0;  ///< Times the weight, added to the gradient; matrices and kernels alone.
};

/// Lowers a loss along its gradient. Works on one flat tensor: a step is one pass over memory.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// @param learning_rate  not negative.
  virtual void step(double learning_rate) = 0;
  /// How far a constant gradient of 1 moves a parameter in a step once momentum has built up.
  virtual double step_size(double learning_rate) const noexcept = 0;
  /// Forgets momentum and moments, as if new.
  virtual void reset() = 0;

  /// Copies of all that must be saved to go on later as if never stopped.
  virtual std::map<std::string, torch::Tensor> state() const = 0;
  virtual void load(const std::map<std::string, torch::Tensor>& state) = 0;
};

struct OptimizerInfo {
  std::string_view name;
  std::string_view summary;
};
std::span<const OptimizerInfo> optimizers() noexcept;

/// @param parameters, gradients  (total) float32, on one device; held by reference.
/// @param decayed  weight decay is for the first `decayed` parameters.
/// @throws InputError for an unknown name, or an option out of range.
std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options,
                                          torch::Tensor parameters,
                                          torch::Tensor gradients,
                                          std::int64_t decayed);

}  // namespace lastbit
