#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lastbit/base/text.h"
#include "lastbit/quant/projector.h"
#include "reference.h"

namespace lastbit::reference {

/// Makes small networks at random, whose first output is that of the last layer: convolutions,
/// pools, activations and joins, then matrices, with plain and packed weights.
class Generator {
  using Ints = std::vector<std::int64_t>;

 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  Graph network() {
    graph_.inputs = {value("x", {2, below(3) + 1, below(8) + 5, below(8) + 5})};
    names_ = {"x"};
    for (std::int64_t i = below(6) + 2; i > 0; --i) add_plane_node();
    push("Flatten", {pick_plane()}, {});
    flat_ = names_.back();
    for (std::int64_t i = below(4) + 1; i > 0; --i) add_flat_node();
    graph_.outputs = {value(flat_, {})};
    // Values in the middle are kept alive to the end now and then.
    for (const std::string& name : names_) {
      if (name != flat_ && below(6) == 0) graph_.outputs.push_back(value(name, {}));
    }
    return graph_;
  }

 private:
  std::int64_t below(std::uint64_t bound) {
    return static_cast<std::int64_t>(random_.below(bound));
  }

  Shape shape_of_value(const std::string& name) const {
    return infer_shapes(graph_, 1).at(name).shape;
  }

  // A value [batch, channels, height, width].
  std::string pick_plane() { return names_[random_.below(names_.size())]; }

  void push(const std::string& op,
            std::vector<std::string> inputs,
            std::map<std::string, Attribute, std::less<>> attributes) {
    const std::string name = cat("v", graph_.nodes.size());
    graph_.nodes.push_back(node(op, std::move(inputs), std::move(attributes), name));
    names_.push_back(name);
  }

  std::string constant(const Shape& shape) {
    std::string name = cat("c", graph_.initializers.size());
    add_random(graph_, name, shape, random_);
    return name;
  }

  std::string weights(const Shape& shape, int axis) {
    const std::string name = constant(shape);
    constexpr const char* kSets[] = {
        "ternary", "binary/channel", "shift:1/channel", "ternary/group:5", "kmeans:3"};
    if (below(2) == 0) return name;
    const auto projector = parse_projector(kSets[random_.below(std::size(kSets))]);
    Initializer& initializer = graph_.initializers.find(name)->second;
    const Tensor floats = decode(initializer);
    initializer = pack_lowbit(
        projector->project(floats.as_floats(), channel_layout(shape, axis)), shape, axis, "");
    return name;
  }

  void add_plane_node() {
    const std::string x = pick_plane();
    const Shape shape = shape_of_value(x);
    constexpr const char* kActivations[] = {"Relu", "Tanh", "Sigmoid", "LeakyRelu", "Identity"};
    switch (below(6)) {
      case 0:
      case 1: {
        const std::int64_t size =
            std::min<std::int64_t>(below(3) + 1, std::min(shape[2], shape[3]));
        const std::int64_t out = below(9) + 1;
        push("Conv",
             {x, weights({out, shape[1], size, size}, 0), constant({out})},
             {{"pads", Ints{below(2), below(2), below(2), below(2)}}});
        if (below(2) == 0) push(kActivations[below(5)], {names_.back()}, {});
        break;
      }
      case 2:
        push(kActivations[below(5)], {x}, {});
        break;
      case 3:
        if (shape[2] < 2 || shape[3] < 2) break;
        push(below(2) == 0 ? "MaxPool" : "AveragePool",
             {x},
             {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{below(2) + 1, 2}}});
        break;
      case 4:
        push("Mul", {x, below(2) == 0 ? x : constant({shape[1], 1, 1})}, {});
        break;
      default:
        push("Concat", {x, x}, {{"axis", std::int64_t{1}}});
    }
  }

  void add_flat_node() {
    const Shape shape = shape_of_value(flat_);
    const std::int64_t width = below(20) + 1;
    switch (below(4)) {
      case 0:
        push("Gemm",
             {flat_, weights({width, shape[1]}, 0), constant({width})},
             {{"transB", std::int64_t{1}}});
        break;
      case 1:
        push("MatMul", {flat_, weights({shape[1], width}, 1)}, {});
        push("Add", {names_.back(), constant({width})}, {});
        break;
      case 2:
        push("Tanh", {flat_}, {});
        break;
      default:
        push("Softmax", {flat_}, {});
    }
    flat_ = names_.back();
  }

  Random random_;
  Graph graph_;
  std::vector<std::string> names_;
  std::string flat_;
};

}  // namespace lastbit::reference
