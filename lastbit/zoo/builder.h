#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/graph/graph.h"
#include "lastbit/zoo/zoo.h"

namespace lastbit {

/// Writes a network layer by layer, keeping track of the shape of one sample.
///
/// Weights are drawn as Glorot and Bengio 2010, equation (16): uniform between
/// -sqrt(6 / (fan in + fan out)) and +sqrt(6 / (fan in + fan out)). Biases are 0. Each layer has a
/// random stream of its own, so a change of one layer leaves the draws of the others alone.
class NetworkBuilder {
 public:
  /// Starts with "input" and, unless `options.center` is "none", its mean's subtraction.
  /// @throws InputError naming the option that does not fit.
  NetworkBuilder(std::string_view name,
                 const ZooOptions& options,
                 std::string_view default_activation);

  /// A convolution of stride 1 without padding. The sample must be [C, H, W].
  void convolution(const std::string& layer, std::int64_t channels, std::int64_t kernel);
  /// Maxima of windows of `size` x `size`, without overlap; a remainder at the border is dropped.
  void max_pool(const std::string& layer, std::int64_t size);
  void flatten();
  /// A Gemm with the weight as [width, features]. The sample must be flat.
  void fully_connected(const std::string& layer, std::int64_t width);
  void activation(const std::string& layer);

  /// The network, whose last layer's result is called "logits".
  Graph finish();

 private:
  void append(std::string layer,
              std::string op,
              std::vector<std::string> parameters,
              std::map<std::string, Attribute, std::less<>> attributes);
  void add_parameters(const std::string& layer,
                      Shape weight_shape,
                      std::int64_t fan_in,
                      std::int64_t fan_out);
  void add_center(const std::string& center);

  std::string network_;
  std::uint64_t seed_;
  std::string activation_;    // "tanh" or "relu"
  Shape sample_;              // shape of one sample after the last layer
  std::string last_;          // value that the last layer made
  std::uint64_t layers_ = 0;  // layers with parameters so far
  Graph graph_;
};

/// @throws InputError if the caller gave hidden widths to an architecture that fixes its own.
void refuse_hidden(std::string_view network, const ZooOptions& options);

}  // namespace lastbit
