#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "lastbit/base/random.h"
#include "tests/runtime/reference.h"

// Random convolutions and pools of one node, for everything that runs graphs.

namespace lastbit::reference {

struct WindowCase {
  Graph graph;
  std::string text;  // shapes and attributes, for the trace of a failure
};

namespace detail {

using Ints = std::vector<std::int64_t>;
using Attributes = std::map<std::string, Attribute, std::less<>>;

inline Ints random_ints(Random& random, std::size_t count, std::int64_t low, std::int64_t high) {
  Ints values(count);
  for (std::int64_t& v : values) {
    v = low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1)));
  }
  return values;
}

inline std::string text_of(const Shape& input, const Attributes& attributes) {
  std::string line = "input " + to_string(input);
  for (const auto& [name, value] : attributes) {
    if (const auto* ints = std::get_if<Ints>(&value)) line += " " + name + " " + to_string(*ints);
    if (const auto* one = std::get_if<std::int64_t>(&value)) {
      line += " " + name + " " + std::to_string(*one);
    }
  }
  return line;
}

// Spatial sizes in which a kernel of this reach fits whatever the padding.
inline Shape random_input(Random& random,
                          std::int64_t channels,
                          const Ints& kernel,
                          const Ints& dilations) {
  constexpr std::int64_t kSizes[] = {1, 2, 3, 5, 7, 17, 33};
  Shape shape = {1 + static_cast<std::int64_t>(random.below(3)), channels};
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    const std::int64_t reach = (kernel[i] - 1) * dilations[i] + 1;
    shape.push_back(std::max(reach, kSizes[random.below(std::size(kSizes))]));
  }
  return shape;
}

}  // namespace detail

/// A Conv of `rank` spatial dimensions: kernel, stride, dilation, unequal padding and groups at
/// random.
inline WindowCase random_conv(Random& random, std::size_t rank) {
  using namespace detail;
  const Ints kernel = random_ints(random, rank, 1, 4);
  const Ints dilations = random_ints(random, rank, 1, 3);
  const auto groups = static_cast<std::int64_t>(1 + random.below(3));
  const auto in = static_cast<std::int64_t>(1 + random.below(3));
  const auto out = static_cast<std::int64_t>(1 + random.below(8));
  const Attributes attributes = {{"kernel_shape", kernel},
                                 {"strides", random_ints(random, rank, 1, 3)},
                                 {"dilations", dilations},
                                 {"pads", random_ints(random, 2 * rank, 0, 3)},
                                 {"group", groups}};
  const Shape input = random_input(random, in * groups, kernel, dilations);
  WindowCase result{single(input, {}), text_of(input, attributes)};
  Shape weights = {out * groups, in};
  weights.insert(weights.end(), kernel.begin(), kernel.end());
  add_random(result.graph, "w", weights, random);
  add_random(result.graph, "b", {out * groups}, random);
  std::vector<std::string> inputs = {"x", "w"};
  if (random.below(2) == 0) inputs.emplace_back("b");
  result.graph.nodes = {node("Conv", inputs, attributes)};
  return result;
}

/// A MaxPool or AveragePool likewise.
inline WindowCase random_pool(Random& random, const std::string& op, std::size_t rank) {
  using namespace detail;
  const Ints kernel = random_ints(random, rank, 1, 4);
  Ints pads = random_ints(random, 2 * rank, 0, 3);
  // Padding as wide as the kernel makes windows without any input.
  for (std::size_t i = 0; i < pads.size(); ++i) pads[i] = std::min(pads[i], kernel[i % rank] - 1);
  const Ints dilations = random_ints(random, rank, 1, op == "MaxPool" ? 3 : 1);
  Attributes attributes = {{"kernel_shape", kernel},
                           {"strides", random_ints(random, rank, 1, 4)},
                           {"pads", pads},
                           {"ceil_mode", static_cast<std::int64_t>(random.below(2))}};
  if (op == "MaxPool") {
    attributes.emplace("dilations", dilations);
  } else {
    attributes.emplace("count_include_pad", static_cast<std::int64_t>(random.below(2)));
  }
  const Shape input = random_input(random, 3, kernel, dilations);
  return {single(input, {node(op, {"x"}, attributes)}), text_of(input, attributes)};
}

}  // namespace lastbit::reference
