#include <algorithm>

#include "lastbit/graph/rules.h"
#include "lastbit/graph/window.h"

// Operators that multiply by a matrix or slide a window.

namespace lastbit {
namespace {

Shape windowed_shape(std::int64_t batch, std::int64_t channels, const Window& window) {
  Shape shape{batch, channels};
  shape.insert(shape.end(), window.output.begin(), window.output.end());
  return shape;
}

}  // namespace

std::vector<TensorType> conv_rule(const Call& call) {
  call.require_rank(0, 3, 4);
  call.require_same_types();
  const Shape& data = call.shape(0);
  const Shape& weights = call.shape(1);
  if (weights.size() != data.size()) {
    call.fail(
        "weights of shape ", to_string(weights), " do not fit data of shape ", to_string(data));
  }
  const std::int64_t groups = call.bounded_int("group", 1, 1, std::int64_t{1} << 30);
  if (data[1] % groups != 0 || data[1] / groups != weights[1] || weights[0] % groups != 0) {
    call.fail("weights of shape ",
              to_string(weights),
              " in ",
              groups,
              " groups do not fit data of shape ",
              to_string(data));
  }
  if (call.has(2) && call.shape(2) != Shape{weights[0]}) {
    call.fail("bias '",
              call.node.inputs[2],
              "' has shape ",
              to_string(call.shape(2)),
              ", expected ",
              to_string(Shape{weights[0]}),
              " for weights of shape ",
              to_string(weights));
  }
  const Window window = window_of(call.node, data, std::span(weights).subspan(2));
  return {{call[0].type, windowed_shape(data[0], weights[0], window)}};
}

std::vector<TensorType> gemm_rule(const Call& call) {
  call.require_rank(0, 2, 2);
  call.require_rank(1, 2, 2);
  call.require_same_types();
  Shape a = call.shape(0);
  Shape b = call.shape(1);
  if (int_attribute(call.node, "transA", 0) != 0) std::swap(a[0], a[1]);
  if (int_attribute(call.node, "transB", 0) != 0) std::swap(b[0], b[1]);
  if (a[1] != b[0]) {
    call.fail("matrices of shapes ",
              to_string(a),
              " and ",
              to_string(b),
              " (after transposition) cannot be multiplied");
  }
  const Shape result{a[0], b[1]};
  if (call.has(2) && broadcast(call.shape(2), result) != result) {
    call.fail("bias '",
              call.node.inputs[2],
              "' of shape ",
              to_string(call.shape(2)),
              " cannot be broadcast to ",
              to_string(result));
  }
  return {{call[0].type, result}};
}

// numpy.matmul: a vector gains an axis of size 1 for the product and loses it afterwards.
std::vector<TensorType> matmul_rule(const Call& call) {
  call.require_same_types();
  Shape a = call.shape(0);
  Shape b = call.shape(1);
  const bool a_is_vector = a.size() == 1;
  const bool b_is_vector = b.size() == 1;
  if (a_is_vector) a.insert(a.begin(), 1);
  if (b_is_vector) b.push_back(1);
  std::optional<Shape> result;
  if (!a.empty() && !b.empty() && a.back() == b[b.size() - 2]) {
    result = broadcast(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
  }
  if (!result) {
    call.fail("shapes ",
              to_string(call.shape(0)),
              " and ",
              to_string(call.shape(1)),
              " cannot be multiplied");
  }
  if (!a_is_vector) result->push_back(a[a.size() - 2]);
  if (!b_is_vector) result->push_back(b.back());
  return {{call[0].type, *std::move(result)}};
}

std::vector<TensorType> pool_rule(const Call& call) {
  call.require_rank(0, 3, 4);
  if (int_attribute(call.node, "storage_order", 0) != 0) {
    call.fail("attribute 'storage_order' is not supported");
  }
  const Shape& data = call.shape(0);
  return {{call[0].type, windowed_shape(data[0], data[1], window_of(call.node, data))}};
}

std::vector<TensorType> global_pool_rule(const Call& call) {
  call.require_rank(0, 3, 8);
  Shape shape = call.shape(0);
  std::fill(shape.begin() + 2, shape.end(), 1);
  return {{call[0].type, std::move(shape)}};
}

}  // namespace lastbit
