#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/graph.h"
#include "lastbit/graph/misfit.h"
#include "lastbit/graph/shapes.h"

namespace lastbit {

// Internal to shape inference: what the rule of an operator sees of a node, and the rules.

/// A node with the types of its inputs.
struct Call {
  const Node& node;
  std::vector<const TensorType*> inputs;  // null where an optional input is omitted
  std::vector<const Tensor*> constants;   // for each input; null where its value is not known

  bool has(std::size_t i) const noexcept { return i < inputs.size() && inputs[i] != nullptr; }
  const TensorType& operator[](std::size_t i) const noexcept { return *inputs[i]; }
  const Shape& shape(std::size_t i) const noexcept { return inputs[i]->shape; }

  /// The int64 values of input `i`. @throws InputError if they are not constant.
  std::span<const std::int64_t> constant_ints(std::size_t i) const;

  template <typename... Parts>
  [[noreturn, gnu::always_inline]] void fail(const Parts&... parts) const {
    fail_at(node, parts...);
  }

  /// Attribute `name`, which must lie in [low, high].
  std::int64_t bounded_int(std::string_view name,
                           std::int64_t fallback,
                           std::int64_t low,
                           std::int64_t high) const;

  /// `axis` counted from the front, for axes -rank, ..., rank - 1 (or rank, if `end` is allowed).
  std::size_t resolve_axis(std::int64_t axis, std::size_t rank, bool end = false) const;

  void require_rank(std::size_t i, std::size_t low, std::size_t high) const;
  /// All present inputs, but for `except`, have the first one's element type.
  void require_same_types(std::size_t except = ~std::size_t{0}) const;
};

/// The types of a node's results.
using Rule = std::vector<TensorType> (*)(const Call&);

/// A row of the table of operators.
struct Operator {
  std::string_view name;
  Rule rule;
  std::uint8_t since;  ///< the oldest opset at which the operator means what the rule implements
  std::uint8_t fewest_inputs;
  std::uint8_t most_inputs;       ///< 0xFF: any number
  bool outputs_optional = false;  ///< Any output may be omitted, the first one too.
};

/// The row of ONNX's own operator `name`, or null.
const Operator* find_operator(std::string_view name) noexcept;

/// The shape that numpy broadcasting gives, or nothing where the two do not fit.
std::optional<Shape> broadcast(const Shape& a, const Shape& b);

// rules_elementwise.cc
std::vector<TensorType> unary_rule(const Call& call);
std::vector<TensorType> binary_rule(const Call& call);
std::vector<TensorType> clip_rule(const Call& call);
std::vector<TensorType> softmax_rule(const Call& call);
std::vector<TensorType> dropout_rule(const Call& call);
std::vector<TensorType> batch_normalization_rule(const Call& call);
std::vector<TensorType> cast_rule(const Call& call);

// rules_layer.cc
std::vector<TensorType> conv_rule(const Call& call);
std::vector<TensorType> gemm_rule(const Call& call);
std::vector<TensorType> matmul_rule(const Call& call);
std::vector<TensorType> pool_rule(const Call& call);
std::vector<TensorType> global_pool_rule(const Call& call);

// rules_layout.cc
std::vector<TensorType> constant_rule(const Call& call);
std::vector<TensorType> flatten_rule(const Call& call);
std::vector<TensorType> reshape_rule(const Call& call);
std::vector<TensorType> transpose_rule(const Call& call);
std::vector<TensorType> concat_rule(const Call& call);
std::vector<TensorType> squeeze_rule(const Call& call);
std::vector<TensorType> unsqueeze_rule(const Call& call);

// rules_selection.cc
std::vector<TensorType> slice_rule(const Call& call);
std::vector<TensorType> pad_rule(const Call& call);
std::vector<TensorType> gather_rule(const Call& call);

// rules_recurrent.cc
std::vector<TensorType> recurrent_rule(const Call& call);

// rules_detection.cc
std::vector<TensorType> non_max_suppression_rule(const Call& call);

// rules_reduction.cc
std::vector<TensorType> reduction_rule(const Call& call);

}  // namespace lastbit
