#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <torch/types.h>

#include "lastbit/graph/graph.h"
#include "lastbit/graph/parameters.h"
#include "lastbit/method/weights.h"
#include "lastbit/train/operators.h"

namespace lastbit {

/// A Graph under LibTorch's autograd: the same nodes, with trainable parameters in one flat tensor.
///
/// Only what the values asked for need is run and trained. The other nodes and their initializers
/// stay in the graph as they are, as a detector's suppression does.
///
/// The flat order is: low-bit weights, the other matrices and kernels, then biases and norms; so
/// the low-bit weights, and all that weight decay applies to, are prefixes.
class Network {
 public:
  /// @param constraints  of `choose_codebooks` for the same graph; empty to train all in float.
  /// @param values  names of the values that are computed: outputs of the graph or others; empty:
  ///     the first output.
  /// @throws InputError naming node and operator for what training does not support, or a value or
  ///     low-bit weight that is not there.
  Network(Graph graph,
          const std::vector<Constraint>& constraints,
          torch::Device device = torch::kCPU,
          std::vector<std::string> values = {});

  Network(const Network&) = delete;  // its steps point into it
  Network& operator=(const Network&) = delete;

  /// @param inputs  of `inputs()`, in that order: int64 where the graph says so, else float32.
  /// @param precision  that the network's device has (`require_precision`).
  /// @return the values, in the order in which they were named; all as float32.
  /// @throws InputError if inputs are of another number or type.
  std::vector<torch::Tensor> compute(std::span<const torch::Tensor> inputs,
                                     Precision precision = Precision::kFloat32);

  /// The first value, for networks of one input.
  /// @param input  (batch, sample shape...).
  /// @return as (batch, classes) of a classifier.
  torch::Tensor forward(const torch::Tensor& input, Precision precision = Precision::kFloat32);

  /// The inputs that the values need, in the order of the graph's inputs.
  const std::vector<Value>& inputs() const noexcept { return part_.inputs; }
  /// Shape of one sample, without the batch, of networks of one input; empty where there are more,
  /// or where a size but the batch is not known.
  const Shape& sample_shape() const noexcept { return sample_shape_; }
  torch::Device device() const noexcept { return device_; }

  const torch::Tensor& parameters() const noexcept { return parameters_; }  // (total)
  torch::Tensor& gradients() noexcept { return gradients_; }                // (total)
  /// How many of the first parameters are matrices or kernels.
  std::int64_t matrix_size() const noexcept { return matrix_size_; }

  /// One parameter as autograd sees it: a view of `parameters()`, whose grad is one of
  /// `gradients()`.
  struct Leaf {
    torch::Tensor value;
    std::size_t node = 0;  ///< the first that reads it, of those that are run
  };
  /// All of them, in the order in which the nodes of the graph read them.
  std::vector<Leaf> leaves() const;

  /// The low-bit weights: views of the first parameters.
  Weights constrained() const;
  const std::vector<ConstrainedWeight>& constrained_layers() const noexcept { return layers_; }

  void set_training(bool training) noexcept { mode_ = {.training = training}; }
  void set_mode(const ForwardMode& mode) noexcept { mode_ = mode; }
  /// Whether images are computed on in channels-last order; nothing said: where it is faster.
  void set_channels_last(std::optional<bool> channels_last) noexcept {
    channels_last_ = channels_last;
  }
  /// Whether dropout of sequences draws one mask for all steps (`ForwardMode`); at first it does
  /// not.
  void set_locked_dropout(bool locked) noexcept { locked_dropout_ = locked; }
  bool has_batch_norm() const;
  /// The running means and variances of all batch norms, as views: what `forward` changes.
  std::vector<torch::Tensor> statistics() const;

  /// The constant called `name` (not a parameter) is replaced, as an input's mean is by data.
  /// @throws InputError if there is none of that name and shape.
  void set_constant(const std::string& name, const torch::Tensor& value);

  /// Copies, on the CPU, of all that training changes: parameters and batch norm's statistics.
  std::map<std::string, torch::Tensor> state() const;
  /// Takes them back. @throws FormatError if they are not those of such a network.
  void load(const std::map<std::string, torch::Tensor>& state);

  /// The whole graph with all parameters and statistics as they are now. Where `low_bit` is not
  /// empty it takes the place of the low-bit weights, one for each of `constrained_layers()`.
  Graph exported(const std::vector<Quantized>& low_bit = {}) const;

 private:
  using Step = std::function<void(std::vector<torch::Tensor>&)>;

  void lay_out_parameters(const std::vector<Constraint>& constraints);
  void load_constants();
  void compile();
  void check_inputs(std::span<const torch::Tensor> inputs) const;
  std::size_t slot(const std::string& value);

  Graph graph_;  // as it was given
  Graph part_;   // what is run of it
  torch::Device device_;
  Shape sample_shape_;
  ForwardMode mode_;
  std::optional<bool> channels_last_;
  bool locked_dropout_ = false;

  torch::Tensor parameters_;
  torch::Tensor gradients_;
  std::int64_t matrix_size_ = 0;
  std::int64_t constrained_size_ = 0;
  std::vector<ConstrainedWeight> layers_;
  std::vector<Constraint> constraints_;             // those with a set, in the order of layers_
  std::map<std::string, torch::Tensor> leaves_;     // by initializer; views of parameters_
  std::map<std::string, torch::Tensor> constants_;  // the part's other float initializers

  std::map<std::string, std::size_t> slots_;  // value name -> index below
  std::vector<torch::Tensor> values_;
  std::vector<Step> steps_;
};

}  // namespace lastbit
