#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lastbit/graph/graph.h"

namespace lastbit {

/// A detector of 16 x 16 pixels whose results can be foreseen: it finds "red" and "green" in the
/// four quarters of a picture, each a box that is the quarter, by the mean of their channel. A
/// fifth box, of the whole upper half, has the scores of the first quarter and overlaps it by half.
/// A score is that of e^(20 mean - 10) against e^(20 mean - 10) of the other class and 1 of
/// nothing.
inline Graph small_detector() {
  const auto ints = [](const std::vector<std::int64_t>& values) {
    return Tensor::int64s({static_cast<std::int64_t>(values.size())}, values);
  };
  const auto node = [](const std::string& op,
                       std::vector<std::string> inputs,
                       const std::string& output,
                       std::map<std::string, Attribute, std::less<>> attributes = {}) {
    return Node{.name = output,
                .op = op,
                .domain = {},
                .inputs = std::move(inputs),
                .outputs = {output},
                .attributes = std::move(attributes)};
  };
  using Floats = std::vector<float>;
  using Ints = std::vector<std::int64_t>;
  Graph g;
  g.inputs = {{.name = "input", .dims = {{.size = -1, .symbol = "batch"}, {3}, {16}, {16}}}};
  g.outputs = {
      {.name = "boxes", .dims = {{.size = -1, .symbol = "batch"}, {5}, {4}}},
      {.name = "scores", .dims = {{.size = -1, .symbol = "batch"}, {2}, {5}}},
      {.name = "selected", .type = DType::kInt64, .dims = {{.size = -1, .symbol = "n"}, {3}}}};
  g.initializers.emplace("weight",
                         Tensor::floats({3, 3, 1, 1}, Floats{0, 0, 0, 20, 0, 0, 0, 20, 0}));
  g.initializers.emplace("bias", Tensor::floats({3}, Floats{0, -10, -10}));
  g.initializers.emplace("zero_weight", Tensor::floats({4, 3, 1, 1}, Floats(12, 0.0F)));
  g.initializers.emplace("logit_shape", ints({0, 3, 4}));
  g.initializers.emplace("offset_shape", ints({0, 4, 4}));
  g.initializers.emplace("0", ints({0}));
  g.initializers.emplace("1", ints({1}));
  g.initializers.emplace("2", ints({2}));
  g.initializers.emplace("3", ints({3}));
  g.initializers.emplace(
      "places", Tensor::floats({1, 5, 4}, Floats{0, 0,    0.5F, 0.5F, 0, 0.5F, 0.5F, 1, 0.5F, 0,
                                                 1, 0.5F, 0.5F, 0.5F, 1, 1,    0,    0, 0.5F, 1}));
  g.initializers.emplace("most", ints({200}));
  g.initializers.emplace("max_iou", Tensor::floats({1}, Floats{0.45F}));
  g.initializers.emplace("min_score", Tensor::floats({1}, Floats{0.01F}));
  g.nodes = {
      node("AveragePool",
           {"input"},
           "means",
           {{"kernel_shape", Ints{8, 8}}, {"strides", Ints{8, 8}}}),
      node("Conv", {"means", "weight", "bias"}, "logit_map"),
      node("Reshape", {"logit_map", "logit_shape"}, "four_logits"),
      node("Slice", {"four_logits", "0", "1", "2"}, "first_logits"),
      node("Concat", {"four_logits", "first_logits"}, "logits", {{"axis", std::int64_t{2}}}),
      node("Softmax", {"logits"}, "shares", {{"axis", std::int64_t{1}}}),
      node("Slice", {"shares", "1", "3", "1"}, "scores"),
      node("Conv", {"means", "zero_weight"}, "offset_map"),
      node("Reshape", {"offset_map", "offset_shape"}, "four_offsets"),
      node("Slice", {"four_offsets", "0", "1", "1"}, "first_offset"),
      node("Concat", {"four_offsets", "first_offset"}, "offsets", {{"axis", std::int64_t{1}}}),
      node("Add", {"offsets", "places"}, "boxes"),
      node("NonMaxSuppression", {"boxes", "scores", "most", "max_iou", "min_score"}, "selected")};
  g.metadata["lastbit.classes"] = R"(["red","green"])";
  return g;
}

}  // namespace lastbit
