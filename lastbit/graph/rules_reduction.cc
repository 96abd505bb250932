#include "lastbit/graph/rules.h"

namespace lastbit {

// Axes are named by an attribute in older opsets and by an input in newer ones.
std::vector<TensorType> reduction_rule(const Call& call) {
  call.bounded_int("keepdims", 1, 1, 1);
  call.bounded_int("noop_with_empty_axes", 0, 0, 0);
  Shape shape = call.shape(0);
  std::vector<std::int64_t> axes = ints_attribute(call.node, "axes", {});
  if (call.has(1)) {
    const std::span<const std::int64_t> values = call.constant_ints(1);
    axes.insert(axes.end(), values.begin(), values.end());
  }
  if (axes.empty()) return {{call[0].type, Shape(shape.size(), 1)}};
  for (const std::int64_t axis : axes) shape[call.resolve_axis(axis, shape.size())] = 1;
  return {{call[0].type, std::move(shape)}};
}

}  // namespace lastbit
