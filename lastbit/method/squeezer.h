#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <torch/types.h>

#include "lastbit/method/method.h"

namespace torch::nn {
class Module;
}
namespace torch::optim {
class Optimizer;
}

namespace lastbit {

/// A parameter of a module of any making that must become low-bit.
struct LowBitParameter {
  std::string name;
  torch::Tensor value;  ///< float32, of one or more dimensions
  std::shared_ptr<const Projector> set;
  int channel_axis = 0;  ///< along which output channels run; 0 for torch's linear and convolution
};

/// The parameters of `module`, and of those in it, that have two or more dimensions and a name that
/// matches `pattern`, as "*.weight" does.
/// @param set  for `parse_projector`.
/// @throws InputError if there is none, or for an unknown set.
std::vector<LowBitParameter> low_bit_parameters(const torch::nn::Module& module,
                                                std::string_view pattern,
                                                std::string_view set);

struct SqueezerOptions {
  std::int64_t steps = 0;          ///< Optimizer steps of the whole run; at least 1.
  std::int64_t round_steps = 100;  ///< In a round, at whose end a method projects.
  std::int64_t epoch_steps = 0;    ///< In a pass over the data, for schedules; 0: all steps.
};

/// A method inside a training loop that is the user's own: it calls the method's hooks in their
/// order, so that the loop's body is one call to `step`.
///
/// The optimizer stays the user's as well. Its learning rates are read at each step; where the
/// method asks for a lower one, all are lowered by the same factor for that step. Momentum and
/// moments are dropped after each round where the method wants that.
class Squeezer {
 public:
  /// Moves the parameters into one tensor, of which they become views, and begins.
  ///
  /// @param optimizer  moves all of `parameters`, held by reference; LBFGS and Adagrad cannot.
  /// @throws InputError for options out of range, an optimizer without one of the parameters, or a
  ///     set that the method cannot take.
  Squeezer(std::vector<LowBitParameter> parameters,
           std::unique_ptr<Method> method,
           torch::optim::Optimizer& optimizer,
           const SqueezerOptions& options);
  ~Squeezer();
  Squeezer(const Squeezer&) = delete;
  Squeezer& operator=(const Squeezer&) = delete;

  /// One optimizer step, and at the end of a round the method's projection.
  ///
  /// @param backward  computes the loss of a batch, calls its backward() and returns it. Called as
  ///     often as `Method::passes` says, on the same batch. All gradients are zero before.
  /// @return the loss () at the weights of the step, detached.
  /// @throws InputError after the last step; WorkError if at the end of a round the loss is not
  ///     finite.
  torch::Tensor step(const std::function<torch::Tensor()>& backward);

  /// Runs `work` with the low-bit weights in the network, then puts back those of training.
  void evaluate(const std::function<void()>& work);

  /// Puts the low-bit weights into the network for good; a round that is under way ends first.
  void finish();

  /// Copies on the CPU of all that must be saved, beside the network and its optimizer, to go on
  /// later as if never stopped.
  std::map<std::string, torch::Tensor> state() const;
  /// Goes on from there, in a run of the same options. The network and the optimizer have been read
  /// before; parameters that were moved to other memory on the way become views again.
  /// @throws FormatError if the state is of another run, or not whole.
  void load(const std::map<std::string, torch::Tensor>& state);

  /// What is evaluated and what is packed: one for each parameter, in their order.
  const std::vector<Quantized>& deployed() const noexcept { return method_->deployed(); }
  /// Of the last round; none before. `load` leaves its `layers` empty.
  const std::optional<Residuals>& residuals() const noexcept { return residuals_; }
  const Progress& progress() const noexcept { return at_; }
  const std::vector<LowBitParameter>& parameters() const noexcept { return parameters_; }

 private:
  struct Rate;

  Rate rate() const;
  void zero_gradients();
  void gather_gradients();
  void end_round();
  void take_back_moved();

  std::vector<LowBitParameter> parameters_;
  std::unique_ptr<Method> method_;
  torch::optim::Optimizer& optimizer_;
  SqueezerOptions options_;
  Weights weights_;
  Progress at_;
  torch::Tensor loss_;               // () of the last step
  std::vector<std::size_t> groups_;  // of the optimizer, that hold low-bit parameters
  std::optional<Residuals> residuals_;
  bool in_round_ = false;  // steps were made since the last round
  bool finished_ = false;
};

}  // namespace lastbit
