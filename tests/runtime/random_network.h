#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lastbit/base/text.h"
#include "lastbit/quant/projector.h"
#include "reference.h"

namespace lastbit::reference {

/// Makes small networks at random, whose first output is that of the last layer: convolutions of
/// one or two dimensions and all that follows them in networks (normalizations, joins of branches
/// in both orders, activations, pools, changes of layout), then matrices, with plain and packed
/// weights.
class Generator {
  using Ints = std::vector<std::int64_t>;
  using Attributes = std::map<std::string, Attribute, std::less<>>;

 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  Graph network() {
    Shape input = {2, below(6) + 1, below(6) + 3};
    if (below(4) != 0) input.push_back(below(6) + 3);
    graph_.inputs = {value("x", input)};
    names_ = {"x"};
    for (std::int64_t i = below(6) + 2; i > 0; --i) add_plane_node();
    push("Flatten", {pick_plane()});
    flat_ = names_.back();
    for (std::int64_t i = below(4) + 1; i > 0; --i) add_flat_node();
    graph_.outputs = {value(flat_, {})};
    // Values in the middle are kept alive to the end now and then.
    for (const std::string& name : names_) {
      if (name != flat_ && below(6) == 0) graph_.outputs.push_back(value(name, {}));
    }
    return graph_;
  }

  /// A convolution of packed weights and at times a normalization, a residual and an activation,
  /// which is 0 at 0 and no steeper than 1.
  Graph one_product() {
    Shape input = {2, below(6) + 1, below(6) + 3};
    if (below(4) != 0) input.push_back(below(6) + 3);
    graph_.inputs = {value("x", input)};
    names_ = {"x"};
    always_packed_ = true;
    add_conv("x");
    if (below(2) == 0) normalize(names_.back());
    if (below(2) == 0) {
      Shape shape = shape_of_value(names_.back());
      const std::string last = names_.back();
      const std::string residual = "r";
      graph_.inputs.push_back(value(residual, shape));
      push("Add", below(2) == 0 ? std::vector{last, residual} : std::vector{residual, last});
    }
    constexpr const char* kActivations[] = {"Identity", "Relu", "LeakyRelu", "Tanh"};
    push(kActivations[below(4)], {names_.back()});
    graph_.outputs = {value(names_.back(), {})};
    return graph_;
  }

 private:
  static constexpr std::int64_t kMostChannels = 20;

  std::int64_t below(std::uint64_t bound) {
    return static_cast<std::int64_t>(random_.below(bound));
  }

  Shape shape_of_value(const std::string& name) const {
    return infer_shapes(graph_, 1).at(name).shape;
  }

  // A value [batch, channels, spatial...].
  std::string pick_plane() { return names_[random_.below(names_.size())]; }

  // One that differs from `shape` in the channels alone, or in nothing.
  std::string pick_like(const Shape& shape, bool any_channels) {
    std::vector<std::string> found;
    for (const std::string& name : names_) {
      Shape other = shape_of_value(name);
      if (any_channels && other.size() == shape.size()) other[1] = shape[1];
      if (other == shape) found.push_back(name);
    }
    return found.empty() ? std::string() : found[random_.below(found.size())];
  }

  void push(const std::string& op, std::vector<std::string> inputs, Attributes attributes = {}) {
    const std::string name = cat("v", graph_.nodes.size());
    graph_.nodes.push_back(node(op, std::move(inputs), std::move(attributes), name));
    names_.push_back(name);
  }

  std::string constant(const Shape& shape, double low = -1.0, double high = 1.0) {
    std::string name = cat("c", graph_.initializers.size());
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (float& v : values) v = static_cast<float>(random_.uniform(low, high));
    graph_.initializers.emplace(name, Tensor::floats(shape, values));
    return name;
  }

  std::string weights(const Shape& shape, int axis) {
    const std::string name = constant(shape);
    constexpr const char* kSets[] = {"ternary",
                                     "binary/channel",
                                     "shift:1/channel",
                                     "pow2:3/tensor",
                                     "kmeans:3",
                                     "ternary/group:5"};
    // Scales by group are decoded at load, and then no packed weights.
    const std::size_t sets = std::size(kSets) - (always_packed_ ? 1 : 0);
    if (!always_packed_ && below(2) == 0) return name;
    const auto projector = parse_projector(kSets[random_.below(sets)]);
    Initializer& initializer = graph_.initializers.find(name)->second;
    const Tensor floats = decode(initializer);
    initializer = pack_lowbit(
        projector->project(floats.as_floats(), channel_layout(shape, axis)), shape, axis, "");
    return name;
  }

  Ints ints(std::size_t count, std::int64_t low, std::uint64_t values) {
    Ints result(count);
    for (std::int64_t& one : result) one = low + below(values);
    return result;
  }

  void activate(const std::string& x) {
    constexpr const char* kActivations[] = {"Relu", "Tanh", "Sigmoid", "LeakyRelu", "Identity"};
    const std::int64_t which = below(7);
    if (which < 5) return push(kActivations[which], {x});
    std::vector<std::string> inputs = {x, constant({}, -0.5, 0.0), constant({}, 0.0, 2.0)};
    if (which == 6) inputs[1].clear();
    push("Clip", std::move(inputs));
  }

  void normalize(const std::string& x) {
    const Shape channels = {shape_of_value(x)[1]};
    push("BatchNormalization",
         {x,
          constant(channels),
          constant(channels),
          constant(channels),
          constant(channels, 0.2, 1.0)});
  }

  // Any window that fits, in groups at times: of one channel each, or of several.
  void add_conv(const std::string& x) {
    const Shape shape = shape_of_value(x);
    const std::size_t rank = shape.size() - 2;
    Ints kernel;
    Ints dilations;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      const std::int64_t size = shape[axis + 2];
      kernel.push_back(std::min<std::int64_t>(below(3) + 1, size));
      dilations.push_back(below(4) == 0 && (kernel.back() - 1) * 2 < size ? 2 : 1);
    }
    std::int64_t groups = 1;
    if (below(3) == 0) groups = below(2) == 0 ? shape[1] : shape[1] % 2 == 0 ? 2 : 1;
    const std::int64_t out = groups * (groups > 2 ? below(2) + 1 : below(9) + 1);
    Shape filter = {out, shape[1] / groups};
    filter.insert(filter.end(), kernel.begin(), kernel.end());
    std::vector<std::string> inputs = {x, weights(filter, 0)};
    if (below(2) == 0) inputs.push_back(constant({out}));
    push("Conv",
         std::move(inputs),
         {{"group", groups},
          {"pads", ints(2 * rank, 0, 3)},
          {"strides", below(3) == 0 ? ints(rank, 1, 2) : Ints(rank, 1)},
          {"dilations", dilations}});
  }

  // A convolution that keeps the spatial sizes, with `channels` results.
  void add_same_conv(const std::string& x, std::int64_t channels) {
    const Shape shape = shape_of_value(x);
    const std::size_t rank = shape.size() - 2;
    const std::int64_t size = below(2) == 0 ? 1 : 3;
    Shape filter = {channels, shape[1]};
    filter.insert(filter.end(), rank, size);
    push("Conv", {x, weights(filter, 0)}, {{"pads", Ints(2 * rank, size / 2)}});
  }

  // What ends a block of a residual network; either branch comes first.
  void add_residual(const std::string& x) {
    const std::string other = pick_like(shape_of_value(x), true);
    const std::int64_t channels = shape_of_value(other)[1];
    std::string branch = other;
    if (below(3) == 0) {
      add_same_conv(other, channels);
      branch = names_.back();
    }
    add_same_conv(x, channels);
    if (below(2) == 0) normalize(names_.back());
    const std::string last = names_.back();
    push("Add", below(2) == 0 ? std::vector{last, branch} : std::vector{branch, last});
    if (below(2) == 0) activate(names_.back());
  }

  void add_pool(const std::string& x) {
    const Shape shape = shape_of_value(x);
    const std::size_t rank = shape.size() - 2;
    if (*std::min_element(shape.begin() + 2, shape.end()) < 2)
      return push("GlobalAveragePool", {x});
    Attributes attributes = {{"kernel_shape", Ints(rank, 2)},
                             {"strides", ints(rank, 1, 2)},
                             {"pads", ints(2 * rank, 0, 2)},
                             {"ceil_mode", below(2)}};
    push(below(2) == 0 ? "MaxPool" : "AveragePool", {x}, std::move(attributes));
  }

  void add_product_of_values(const std::string& x) {
    const Shape shape = shape_of_value(x);
    Shape channels = {shape[1]};
    channels.insert(channels.end(), shape.size() - 2, 1);
    constexpr const char* kOps[] = {"Mul", "Add", "Sub"};
    const std::string other = below(2) == 0 ? pick_like(shape, false) : constant(channels);
    push(kOps[below(3)], below(2) == 0 ? std::vector{x, other} : std::vector{other, x});
  }

  void add_change_of_layout(const std::string& x) {
    const Shape shape = shape_of_value(x);
    if (below(2) == 0) {
      Ints order = {0, 2, 1};
      if (shape.size() == 4) order = below(2) == 0 ? Ints{0, 2, 3, 1} : Ints{0, 3, 1, 2};
      return push("Transpose", {x}, {{"perm", order}});
    }
    const std::string to = cat("shape", graph_.initializers.size());
    Ints sizes = {0, -1, shape.back()};
    if (shape.size() == 4) sizes.insert(sizes.begin() + 2, 1);
    graph_.initializers.emplace(to,
                                Tensor::int64s({static_cast<std::int64_t>(sizes.size())}, sizes));
    push("Reshape", {x, to});
  }

  void add_plane_node() {
    std::string x = pick_plane();
    if (shape_of_value(x)[1] > kMostChannels) x = "x";
    switch (below(12)) {
      case 0:
      case 1:
        add_conv(x);
        if (below(2) == 0) normalize(names_.back());
        if (below(2) == 0) activate(names_.back());
        break;
      case 2:  // of another border on the same value
        add_conv(x);
        add_conv(x);
        break;
      case 3:
      case 4:
        add_residual(x);
        break;
      case 5:
        activate(x);
        break;
      case 6:
        add_pool(x);
        break;
      case 7:
        add_product_of_values(x);
        break;
      case 8:
        push("Concat", {x, pick_like(shape_of_value(x), true)}, {{"axis", std::int64_t{1}}});
        break;
      case 9:
        add_change_of_layout(x);
        break;
      case 10:
        push("Softmax", {x}, {{"axis", std::int64_t{1}}});
        break;
      default:
        below(2) == 0 ? normalize(x) : push("GlobalAveragePool", {x});
    }
  }

  void add_flat_node() {
    const Shape shape = shape_of_value(flat_);
    const std::int64_t width = below(20) + 1;
    switch (below(5)) {
      case 0:
        push("Gemm",
             {flat_, weights({width, shape[1]}, 0), constant({width})},
             {{"transB", std::int64_t{1}}});
        break;
      case 1:
        push("MatMul", {flat_, weights({shape[1], width}, 1)});
        push("Add", {names_.back(), constant({width})});
        break;
      case 2:
        push("Gemm", {flat_, weights({shape[1], width}, 1)});
        normalize(names_.back());
        activate(names_.back());
        break;
      case 3:
        push("Tanh", {flat_});
        break;
      default:
        push("Softmax", {flat_});
    }
    flat_ = names_.back();
  }

  Random random_;
  Graph graph_;
  std::vector<std::string> names_;
  std::string flat_;
  bool always_packed_ = false;
};

}  // namespace lastbit::reference
