#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lastbit/base/random.h"
#include "lastbit/graph/graph.h"

namespace lastbit {

using Ints = std::vector<std::int64_t>;

/// `shape` filled with 0, 1/8, 2/8, ... repeating after 16.
inline Tensor ramp(Shape shape) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 16) / 8.0F;
  return Tensor::floats(std::move(shape), values);
}

/// Random codes; scales 0.5, 0.75, ... `group` is the size of groups for kGroup, else 0.
inline LowBitTensor random_lowbit(Shape shape,
                                  int axis,
                                  std::vector<float> levels,
                                  Granularity per,
                                  std::string set,
                                  std::uint64_t seed = 1,
                                  std::int64_t group = 0) {
  Random random(seed);
  Quantized quantized{.levels = Codebook(std::move(levels)),
                      .per = per,
                      .layout = channel_layout(shape, axis),
                      .scales = {},
                      .codes = {},
                      .squared_error = 0.0,
                      .group = group};
  const std::size_t scales = scale_count(per, quantized.layout, group);
  for (std::size_t i = 0; i < scales; ++i) {
    quantized.scales.push_back(0.5F + 0.25F * static_cast<float>(i));
  }
  const auto radix = static_cast<std::uint64_t>(quantized.levels.size());
  for (std::int64_t i = 0; i < element_count(shape); ++i) {
    quantized.codes.push_back(static_cast<Code>(random.below(radix)));
  }
  return pack_lowbit(quantized, std::move(shape), axis, std::move(set));
}

/// A convolution with ternary weights by channel and a matrix with binary ones.
inline Graph small_graph() {
  Graph graph;
  graph.name = "small";
  graph.inputs = {{"x", DType::kFloat, {{-1, "batch"}, {1}, {4}, {4}}}};
  graph.outputs = {{"y", DType::kFloat, {{-1, "batch"}, {3}}}};
  graph.initializers.emplace(
      "conv.weight",
      random_lowbit({2, 1, 3, 3}, 0, {-1, 0, 1}, Granularity::kChannel, "ternary/channel"));
  graph.initializers.emplace("conv.bias", ramp({2}));
  graph.initializers.emplace(
      "fc.weight", random_lowbit({3, 8}, 0, {-1, 1}, Granularity::kTensor, "binary/tensor"));
  graph.nodes = {
      {"conv",
       "Conv",
       "",
       {"x", "conv.weight", "conv.bias"},
       {"a"},
       {{"kernel_shape", Ints{3, 3}}}},
      {"relu", "Relu", "", {"a"}, {"b"}, {}},
      {"flatten", "Flatten", "", {"b"}, {"c"}, {}},
      {"fc", "Gemm", "", {"c", "fc.weight"}, {"y"}, {{"transB", std::int64_t{1}}}},
  };
  return graph;
}

/// The same with weights whose scales are by group: the convolution's with channels first, in
/// groups of 4, 4 and 1; the matrix's with channels last, in groups of 3, 3 and 2.
inline Graph grouped_graph() {
  Graph graph = small_graph();
  graph.initializers.insert_or_assign(
      "conv.weight",
      random_lowbit({2, 1, 3, 3}, 0, {-1, 0, 1}, Granularity::kGroup, "ternary/group:4", 2, 4));
  graph.initializers.insert_or_assign(
      "fc.weight",
      random_lowbit({8, 3}, 1, {-1, 0, 0.5F, 1}, Granularity::kGroup, "any/group:3", 3, 3));
  graph.nodes.back().attributes.clear();
  return graph;
}

}  // namespace lastbit
