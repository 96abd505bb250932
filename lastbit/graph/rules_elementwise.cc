#include <algorithm>

#include "lastbit/graph/rules.h"

// Operators whose result has the shape of an input, or of inputs broadcast together.

namespace lastbit {

std::span<const std::int64_t> Call::constant_ints(std::size_t i) const {
  if (constants[i] == nullptr) {
    fail("input ", i + 1, " ('", node.inputs[i], "') must be constant");
  }
  if (constants[i]->type() != DType::kInt64 || constants[i]->shape().size() > 1) {
    fail("input ",
         i + 1,
         " ('",
         node.inputs[i],
         "') is ",
         to_string(constants[i]->type()),
         " of shape ",
         to_string(constants[i]->shape()),
         ", expected a list of int64");
  }
  return constants[i]->as_int64s();
}

std::int64_t Call::bounded_int(std::string_view name,
                               std::int64_t fallback,
                               std::int64_t low,
                               std::int64_t high) const {
  const std::int64_t value = int_attribute(node, name, fallback);
  if (value < low || value > high) {
    fail("attribute '", name, "' is ", value, ", expected ", low, " to ", high);
  }
  return value;
}

std::size_t Call::resolve_axis(std::int64_t axis, std::size_t rank, bool end) const {
  const auto size = static_cast<std::int64_t>(rank);
  const std::int64_t last = end ? size : size - 1;
  if (axis < -size || axis > last) {
    fail("axis ", axis, " is not an axis of a tensor of rank ", rank);
  }
  return static_cast<std::size_t>(axis < 0 ? axis + size : axis);
}

void Call::require_rank(std::size_t i, std::size_t low, std::size_t high) const {
  const std::size_t rank = shape(i).size();
  if (rank < low || rank > high) {
    fail("input ",
         i + 1,
         " ('",
         node.inputs[i],
         "') has shape ",
         to_string(shape(i)),
         ", expected rank ",
         low,
         low == high ? "" : cat(" to ", high));
  }
}

void Call::require_same_types(std::size_t except) const {
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    if (has(i) && i != except && inputs[i]->type != inputs[0]->type) {
      fail("inputs are ",
           to_string(inputs[0]->type),
           " ('",
           node.inputs[0],
           "') and ",
           to_string(inputs[i]->type),
           " ('",
           node.inputs[i],
           "'), expected one type");
    }
  }
}

std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
  Shape result = a.size() >= b.size() ? a : b;
  const Shape& other = a.size() >= b.size() ? b : a;
  const std::size_t offset = result.size() - other.size();
  for (std::size_t i = 0; i < other.size(); ++i) {
    std::int64_t& size = result[offset + i];
    if (size == 1) {
      size = other[i];
    } else if (other[i] != 1 && other[i] != size) {
      return std::nullopt;
    }
  }
  return result;
}

std::vector<TensorType> unary_rule(const Call& call) { return {call[0]}; }

std::vector<TensorType> binary_rule(const Call& call) {
  call.require_same_types();
  std::optional<Shape> shape = broadcast(call.shape(0), call.shape(1));
  if (!shape) {
    call.fail("shapes ",
              to_string(call.shape(0)),
              " and ",
              to_string(call.shape(1)),
              " cannot be broadcast together");
  }
  return {{call[0].type, *std::move(shape)}};
}

std::vector<TensorType> clip_rule(const Call& call) {
  call.require_same_types();
  for (std::size_t i = 1; i < call.inputs.size(); ++i) {
    if (call.has(i) && !call.shape(i).empty()) {
      call.fail("bound '",
                call.node.inputs[i],
                "' has shape ",
                to_string(call.shape(i)),
                ", expected a scalar");
    }
  }
  return {call[0]};
}

std::vector<TensorType> softmax_rule(const Call& call) {
  call.resolve_axis(int_attribute(call.node, "axis", -1), call.shape(0).size());
  return {call[0]};
}

// As in inference: the identity, and a mask that keeps all.
std::vector<TensorType> dropout_rule(const Call& call) {
  if (call.has(2)) {
    const Tensor* training = call.constants[2];
    if (training == nullptr || training->type() != DType::kBool || training->size() != 1 ||
        training->bytes()[0] != std::byte{0}) {
      call.fail("input 3 ('",
                call.node.inputs[2],
                "') must be constant and false: ",
                "dropout is supported as in inference only");
    }
  }
  return {call[0], {DType::kBool, call.shape(0)}};
}

std::vector<TensorType> cast_rule(const Call& call) {
  const auto supported = [&](DType type) {
    return type == DType::kFloat || type == DType::kInt32 || type == DType::kInt64;
  };
  if (!call.node.attributes.contains("to")) call.fail("expected an attribute 'to'");
  const auto to = static_cast<DType>(call.bounded_int("to", 1, 0, 64));
  if (!supported(call[0].type) || !supported(to)) {
    call.fail("a cast from ",
              to_string(call[0].type),
              " to ",
              to_string(to),
              " is not supported, only between float32, int32 and int64");
  }
  return {{to, call.shape(0)}};
}

std::vector<TensorType> batch_normalization_rule(const Call& call) {
  call.require_rank(0, 2, 8);
  call.require_same_types();
  if (int_attribute(call.node, "training_mode", 0) != 0) {
    call.fail("attribute 'training_mode' is not supported, only inference");
  }
  const Shape channels{call.shape(0)[1]};
  for (std::size_t i = 1; i < 5; ++i) {
    if (call.shape(i) != channels) {
      call.fail("input ",
                i + 1,
                " ('",
                call.node.inputs[i],
                "') has shape ",
                to_string(call.shape(i)),
                ", expected ",
                to_string(channels),
                " for data of shape ",
                to_string(call.shape(0)));
    }
  }
  return {call[0]};
}

}  // namespace lastbit
