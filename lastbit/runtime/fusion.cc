#include "lastbit/runtime/fusion.h"

#include <algorithm>
#include <limits>

#include "lastbit/runtime/affine.h"
#include "lastbit/runtime/normalize.h"
#include "lastbit/runtime/operators.h"

namespace lastbit {
namespace {

// A summand that is computed, or different in each row, is added after the product: nothing but an
// activation can follow it there.
bool has_plain_bias(const StepRequest& request) {
  const Operand& bias = request.inputs[2];
  if (request.node->op != "Gemm" || !bias.present()) return true;
  return bias.constant != nullptr && (bias.shape.size() < 2 || bias.shape[0] == 1);
}

const std::string& other_input(const Node& node, const std::string& one) {
  return node.inputs[node.inputs[0] == one ? 1 : 0];
}

}  // namespace

Fusion::Fusion(const Graph& graph, const TypeMap& types) : graph_(graph), types_(types) {
  for (const Node& node : graph.nodes) {
    for (const std::string& input : node.inputs) users_[input].push_back(&node);
  }
  for (const Value& output : graph.outputs) users_[output.name].push_back(nullptr);
}

std::span<const Node* const> Fusion::users(const std::string& value) const {
  const auto found = users_.find(value);
  if (found == users_.end()) return {};
  return found->second;
}

const Node* Fusion::only_user(const std::string& value) const {
  const auto found = users_.find(value);
  return found == users_.end() || found->second.size() != 1 ? nullptr : found->second.front();
}

const Initializer* Fusion::constant(const std::string& value) const {
  return graph_.find_initializer(value);
}

// All but the first; fewer where one is not constant.
std::vector<Operand> Fusion::constant_inputs(const Node& node) const {
  std::vector<Operand> inputs(1);
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    const Initializer* value = node.inputs[i].empty() ? nullptr : constant(node.inputs[i]);
    if (value == nullptr && !node.inputs[i].empty()) return {};
    inputs.push_back({.slot = -1, .shape = {}, .constant = value});
  }
  return inputs;
}

std::string Fusion::take(StepRequest& request,
                         const std::function<Operand(const std::string&)>& find_residual) {
  std::string result = request.node->outputs.front();
  const Node* user = only_user(result);
  const auto advance = [&] {
    taken_.insert(user);
    result = user->outputs.front();
    user = only_user(result);
  };
  const auto shape = [&](const std::string& value) { return types_.find(value)->second.shape; };

  if (user != nullptr && user->op == "Add" && request.node->op == "MatMul" &&
      request.inputs[1].shape.size() == 2) {
    const std::string& other = other_input(*user, result);
    const Initializer* bias = constant(other);
    if (bias != nullptr && shape_of(*bias) == Shape{shape(result).back()} &&
        types_.find(other)->second.type == DType::kFloat) {
      request.fused.bias = {.slot = -1, .shape = shape_of(*bias), .constant = bias};
      advance();
    }
  }
  if (user != nullptr && user->op == "BatchNormalization" && has_plain_bias(request) &&
      (request.node->op == "Conv" || shape(result).size() == 2)) {
    const std::vector<Operand> inputs = constant_inputs(*user);
    if (inputs.size() == 5) {
      request.fused.normalization = normalization_of(*user, inputs);
      advance();
    }
  }
  if (user != nullptr && user->op == "Add" && has_plain_bias(request)) {
    const std::string& other = other_input(*user, result);
    if (shape(other) == shape(result) && shape(user->outputs.front()) == shape(result)) {
      request.fused.residual = find_residual(other);
      if (request.fused.residual.present()) advance();
    }
  }
  if (user == nullptr) return result;
  Activation activation = activation_of(*user);
  if (user->op == "Clip") {
    const std::vector<Operand> bounds = constant_inputs(*user);
    if (bounds.empty()) return result;
    activation = {.kind = Activation::Kind::kClip,
                  .least = -std::numeric_limits<float>::infinity(),
                  .most = std::numeric_limits<float>::infinity()};
    if (bounds.size() > 1 && bounds[1].present()) activation.least = constant_floats(bounds[1])[0];
    if (bounds.size() > 2 && bounds[2].present()) activation.most = constant_floats(bounds[2])[0];
  }
  if (activation.kind == Activation::Kind::kNone) return result;
  request.fused.activation = activation;
  advance();
  return result;
}

}  // namespace lastbit
