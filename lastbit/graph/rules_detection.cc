#include <algorithm>

#include "lastbit/graph/rules.h"

// Operators that detectors end with.

namespace lastbit {

// How many rows there are depends on the values: the shape is that of the most.
std::vector<TensorType> non_max_suppression_rule(const Call& call) {
  const Shape& boxes = call.shape(0);
  const Shape& scores = call.shape(1);
  if (boxes.size() != 3 || scores.size() != 3 || boxes[2] != 4 || scores[0] != boxes[0] ||
      scores[2] != boxes[1]) {
    call.fail("boxes and scores have shapes ",
              to_string(boxes),
              " and ",
              to_string(scores),
              ", expected [batch, boxes, 4] and [batch, classes, boxes]");
  }
  call.bounded_int("center_point_box", 0, 0, 1);
  for (std::size_t i = 2; i < call.inputs.size(); ++i) {
    const DType type = i == 2 ? DType::kInt64 : DType::kFloat;
    if (!call.has(i) || (call[i].type == type && element_count(call.shape(i)) == 1)) continue;
    call.fail("input ", i + 1, " ('", call.node.inputs[i], "') is not one ", to_string(type));
  }
  const std::int64_t most = call.has(2) ? call.constant_ints(2)[0] : 0;
  return {{DType::kInt64, {boxes[0] * scores[1] * std::clamp<std::int64_t>(most, 0, boxes[1]), 3}}};
}

}  // namespace lastbit
