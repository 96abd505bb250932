#include <algorithm>

#include "lastbit/graph/rules.h"

// Operators that give elements another shape or order.

namespace lastbit {
namespace {

std::int64_t count_or_fail(const Call& call, std::span<const std::int64_t> shape) {
  const std::optional<std::int64_t> count = checked_element_count(shape);
  if (!count) call.fail("shape ", to_string(shape), " has more elements than memory can hold");
  return *count;
}

// The axes in the constant input `i`, of a tensor of rank `rank`, as a flag for each axis.
std::vector<bool> axis_flags(const Call& call, std::size_t i, std::size_t rank) {
  std::vector<bool> flags(rank);
  for (const std::int64_t axis : call.constant_ints(i)) {
    const std::size_t resolved = call.resolve_axis(axis, rank);
    if (flags[resolved]) call.fail("axis ", axis, " is named twice");
    flags[resolved] = true;
  }
  return flags;
}

}  // namespace

std::vector<TensorType> constant_rule(const Call& call) {
  const auto length = [](const auto& values) { return static_cast<std::int64_t>(values.size()); };
  // Those who read the value take the first attribute for it.
  if (call.node.attributes.size() > 1)
    call.fail("has ", call.node.attributes.size(), " attributes, expected one");
  for (const auto& [name, value] : call.node.attributes) {
    if (const auto* tensor = std::get_if<Tensor>(&value); tensor != nullptr && name == "value") {
      return {{tensor->type(), tensor->shape()}};
    }
    if (name == "value_float" && std::holds_alternative<float>(value)) return {{DType::kFloat, {}}};
    if (name == "value_int" && std::holds_alternative<std::int64_t>(value)) {
      return {{DType::kInt64, {}}};
    }
    if (const auto* floats = std::get_if<std::vector<float>>(&value);
        floats != nullptr && name == "value_floats") {
      return {{DType::kFloat, {length(*floats)}}};
    }
    if (const auto* ints = std::get_if<std::vector<std::int64_t>>(&value);
        ints != nullptr && name == "value_ints") {
      return {{DType::kInt64, {length(*ints)}}};
    }
  }
  call.fail("expected an attribute 'value', 'value_float', 'value_floats', 'value_int' or ",
            "'value_ints'");
}

std::vector<TensorType> flatten_rule(const Call& call) {
  const Shape& shape = call.shape(0);
  const std::size_t axis =
      call.resolve_axis(int_attribute(call.node, "axis", 1), shape.size(), true);
  const std::span<const std::int64_t> sizes(shape);
  return {{call[0].type,
           {count_or_fail(call, sizes.first(axis)), count_or_fail(call, sizes.subspan(axis))}}};
}

std::vector<TensorType> reshape_rule(const Call& call) {
  const Shape& from = call.shape(0);
  const std::span<const std::int64_t> wanted = call.constant_ints(1);
  const bool zero_copies = int_attribute(call.node, "allowzero", 0) == 0;
  const auto fail = [&] {
    call.fail("data of shape ", to_string(from), " cannot take shape ", to_string(wanted));
  };
  Shape to(wanted.begin(), wanted.end());
  std::optional<std::size_t> open;
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (to[i] == 0 && zero_copies) {
      if (i >= from.size()) fail();
      to[i] = from[i];
    } else if (to[i] == -1) {
      if (open) fail();
      open = i;
      to[i] = 1;
    } else if (to[i] < 0) {
      fail();
    }
  }
  const std::int64_t count = count_or_fail(call, from);
  const std::int64_t known = count_or_fail(call, to);
  if (open) {
    if (known == 0 || count % known != 0) fail();
    to[*open] = count / known;
  } else if (known != count) {
    fail();
  }
  return {{call[0].type, std::move(to)}};
}

std::vector<TensorType> transpose_rule(const Call& call) {
  const Shape& from = call.shape(0);
  std::vector<std::int64_t> order;
  for (std::size_t i = from.size(); i > 0; --i) order.push_back(static_cast<std::int64_t>(i) - 1);
  order = ints_attribute(call.node, "perm", std::move(order));
  std::vector<bool> seen(from.size());
  Shape to;
  for (const std::int64_t axis : order) {
    const std::size_t i = call.resolve_axis(axis, from.size());
    if (axis < 0 || seen[i]) break;
    seen[i] = true;
    to.push_back(from[i]);
  }
  if (to.size() != from.size() || order.size() != from.size()) {
    call.fail("attribute 'perm' is [",
              join(order),
              "], expected an order of the axes of ",
              to_string(from));
  }
  return {{call[0].type, std::move(to)}};
}

std::vector<TensorType> concat_rule(const Call& call) {
  call.require_same_types();
  Shape result = call.shape(0);
  if (!call.node.attributes.contains("axis")) call.fail("expected an attribute 'axis'");
  const std::size_t axis = call.resolve_axis(int_attribute(call.node, "axis", 0), result.size());
  for (std::size_t i = 1; i < call.inputs.size(); ++i) {
    Shape rest = call.shape(i);
    if (rest.size() == result.size()) {
      result[axis] += rest[axis];
      rest[axis] = result[axis];
    }
    if (rest != result) {
      call.fail("shapes ",
                to_string(call.shape(0)),
                " and ",
                to_string(call.shape(i)),
                " cannot be joined along axis ",
                axis);
    }
    count_or_fail(call, result);
  }
  return {{call[0].type, std::move(result)}};
}

std::vector<TensorType> squeeze_rule(const Call& call) {
  const Shape& from = call.shape(0);
  std::vector<bool> squeezed;
  if (call.has(1)) {
    squeezed = axis_flags(call, 1, from.size());
  } else {
    for (const std::int64_t size : from) squeezed.push_back(size == 1);
  }
  Shape to;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (!squeezed[i]) {
      to.push_back(from[i]);
    } else if (from[i] != 1) {
      call.fail("axis ", i, " of ", to_string(from), " cannot be squeezed, expected size 1");
    }
  }
  return {{call[0].type, std::move(to)}};
}

std::vector<TensorType> unsqueeze_rule(const Call& call) {
  const Shape& from = call.shape(0);
  const std::vector<bool> added = axis_flags(call, 1, from.size() + call.constant_ints(1).size());
  Shape to;
  auto next = from.begin();
  for (const bool one : added) to.push_back(one ? 1 : *next++);
  return {{call[0].type, std::move(to)}};
}

}  // namespace lastbit
