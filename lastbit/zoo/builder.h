#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/graph/graph.h"
#include "lastbit/zoo/zoo.h"

namespace lastbit {

/// Elements of one array at most. Far above any network of the papers, and small enough for every
/// product of sizes to stay within 64 bits.
inline constexpr std::int64_t kMaxZooElements = std::numeric_limits<std::int32_t>::max();

/// The window of a convolution or pool: square, with padding alike on all sides.
struct SquareWindow {
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t pad = 0;
  std::int64_t groups = 1;    ///< of channels, for convolutions alone
  bool rectified = true;      ///< whether ReLU follows a convolution: its weights are drawn for it
  bool ceil = false;          ///< a pool's last window may reach beyond the border
  std::int64_t dilation = 1;  ///< pixels from one of a convolution's weights to the next
  bool bias = false;          ///< of a convolution: added, in place of batch norm

  /// Pixels of a side from the first to the last that a window reads.
  std::int64_t reach() const noexcept { return (kernel - 1) * dilation + 1; }
};

/// Writes a network layer by layer, keeping track of the shape of one sample.
///
/// Weights of layers with a bias are drawn as Glorot and Bengio 2010, equation (16): uniform
/// between -sqrt(6 / (fan in + fan out)) and +sqrt(6 / (fan in + fan out)). Those of layers with
/// batch norm, and of convolutions with a window, are normal with variance 2 / fan in before a ReLU
/// (He et al. 2015, equation (10)), and 1 / fan in without one. Biases are 0 and batch norm starts
/// as the identity, so that a random network's values neither vanish nor explode. Each layer has a
/// random stream of its own, so a change of one layer leaves the draws of the others alone.
class NetworkBuilder {
 public:
  /// Starts with "input" and, unless `options.center` is "none", its mean's subtraction.
  /// @throws InputError naming the option that does not fit.
  NetworkBuilder(std::string_view name,
                 const ZooOptions& options,
                 std::string_view default_activation,
                 std::int64_t least_classes = 2);

  /// A convolution of stride 1 with bias and without padding. The sample must be [C, H, W].
  void convolution(const std::string& layer, std::int64_t channels, std::int64_t kernel);
  /// A convolution, for batch norm to follow unless it has a bias. `groups` divides both channel
  /// counts.
  void convolution(const std::string& layer, std::int64_t channels, const SquareWindow& window);
  /// Batch norm as in inference, with statistics 0 and 1, scale 1 and bias 0.
  void batch_norm(const std::string& layer, float epsilon = 1e-5F);
  /// Maxima of windows of `size` x `size`, without overlap; a remainder at the border is dropped.
  void max_pool(const std::string& layer, std::int64_t size);
  void max_pool(const std::string& layer, const SquareWindow& window);
  /// The mean of each channel: the sample becomes [C, 1, 1].
  void global_average_pool(const std::string& layer);
  /// Every `stride`-th pixel of both directions, between channels of zeros (half of those that
  /// `channels` asks for in front): shortcuts of option A of He et al. 2016.
  void subsample(const std::string& layer, std::int64_t channels, std::int64_t stride);
  /// Whether `options.shortcut` asks for that, in place of a convolution. Networks that never ask
  /// refuse "pad".
  bool pads_shortcuts() noexcept;
  void flatten();
  /// A Gemm with the weight as [width, features]. The sample must be flat.
  void fully_connected(const std::string& layer, std::int64_t width);
  /// The same without bias, for batch norm and ReLU to follow.
  void fully_connected_without_bias(const std::string& layer, std::int64_t width);
  /// Drops `share` of the values in training and none in use.
  void dropout(const std::string& layer, float share);
  void activation(const std::string& layer);
  /// x where it is positive, else x times `slope`.
  void leaky_relu(const std::string& layer, float slope);
  /// The channels of each pixel divided by their Euclidean length, then each channel multiplied by
  /// a parameter of its own that begins as `scale` (Liu, Rabinovich and Berg 2016, section 3.3).
  void channel_norm(const std::string& layer, float scale);
  /// min(max(x, 0), 6)
  void relu6(const std::string& layer);

  /// A value of the network and the shape of one sample of it.
  struct Place {
    std::string value;
    Shape sample;
  };
  Place here() const { return {last_, sample_}; }
  /// The next layer takes `place`.
  void resume(const Place& place);
  /// The sum with `other`, which is of the same shape.
  void add(const std::string& layer, const Place& other);
  /// The channels of `places`, which are images of one size, one after the other.
  void concat(const std::string& layer, const std::vector<Place>& places);

  /// The network, whose last layer's result is called "logits".
  Graph finish();
  /// The network as far as it goes, for others to add nodes and outputs.
  Graph finish_without_output();

 private:
  void append(std::string layer,
              std::string op,
              std::vector<std::string> parameters,
              std::map<std::string, Attribute, std::less<>> attributes);
  void require_image(const std::string& layer, std::int64_t least) const;
  void slide(std::int64_t channels, const SquareWindow& window);
  std::size_t weight_count(const std::string& layer, const Shape& shape, std::int64_t fan_in) const;
  void add_normal_weight(const std::string& layer,
                         Shape shape,
                         std::int64_t fan_in,
                         bool rectified);
  void add_parameters(const std::string& layer,
                      Shape weight_shape,
                      std::int64_t fan_in,
                      std::int64_t fan_out);
  void add_center(const std::string& center);

  std::string network_;
  std::uint64_t seed_;
  std::string activation_;  // "tanh" or "relu"
  std::string shortcut_;    // "convolution" or "pad"
  bool asked_for_shortcuts_ = false;
  Shape sample_;              // shape of one sample after the last layer
  std::string last_;          // value that the last layer made
  std::uint64_t layers_ = 0;  // layers with parameters so far
  Graph graph_;
};

/// @throws InputError if the caller gave hidden widths to an architecture that fixes its own.
void refuse_hidden(std::string_view network, const ZooOptions& options);
/// The same for an activation.
void refuse_activation(std::string_view network, const ZooOptions& options);

/// Whether images are nearer to CIFAR's size than to ImageNet's: a side below 64 pixels.
bool is_small_image(const ZooOptions& options) noexcept;

}  // namespace lastbit
