#include "lastbit/graph/rules.h"
#include "lastbit/graph/selection.h"

// Operators that take a part of a tensor, or put a border around it.

namespace lastbit {
namespace {

std::vector<TensorType> selection(const Call& call,
                                  std::vector<std::vector<std::int64_t>> integers) {
  Shape result;
  for (const SelectedAxis& axis : selected_axes(call.node, call.shape(0), integers)) {
    result.push_back(axis.output);
  }
  return {{call[0].type, std::move(result)}};
}

std::vector<std::int64_t> integers(const Call& call, std::size_t i) {
  if (!call.has(i)) return {};
  const std::span<const std::int64_t> values = call.constant_ints(i);
  return {values.begin(), values.end()};
}

}  // namespace

std::vector<TensorType> slice_rule(const Call& call) {
  return selection(call,
                   {integers(call, 1), integers(call, 2), integers(call, 3), integers(call, 4)});
}

std::vector<TensorType> pad_rule(const Call& call) {
  if (call.has(2) && (call[2].type != call[0].type || element_count(call.shape(2)) != 1)) {
    call.fail("value '",
              call.node.inputs[2],
              "' is ",
              to_string(call[2].type),
              " of shape ",
              to_string(call.shape(2)),
              ", expected one ",
              to_string(call[0].type));
  }
  return selection(call, {integers(call, 1), {}, integers(call, 3)});
}

std::vector<TensorType> gather_rule(const Call& call) {
  const Shape& from = call.shape(0);
  const Shape& indices = call.shape(1);
  const std::size_t axis = call.resolve_axis(int_attribute(call.node, "axis", 0), from.size());
  if (call[1].type != DType::kInt32 && call[1].type != DType::kInt64) {
    call.fail("indices '",
              call.node.inputs[1],
              "' are ",
              to_string(call[1].type),
              ", expected int32 or int64");
  }
  if (const Tensor* constant = call.constants[1];
      constant != nullptr && constant->type() == DType::kInt64) {
    for (const std::int64_t index : constant->as_int64s()) {
      if (index >= -from[axis] && index < from[axis]) continue;
      call.fail("index ", index, " does not lie in axis ", axis, " of ", to_string(from));
    }
  }
  Shape to(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(axis));
  to.insert(to.end(), indices.begin(), indices.end());
  to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(axis) + 1, from.end());
  return {{call[0].type, std::move(to)}};
}

}  // namespace lastbit
