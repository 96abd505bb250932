#pragma once

#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "lastbit/graph/shapes.h"
#include "lastbit/runtime/step.h"

namespace lastbit {

/// Finds what can be computed where a product's result is written, and keeps account of the nodes
/// that are so taken.
class Fusion {
 public:
  /// @param graph, types  are kept by reference.
  Fusion(const Graph& graph, const TypeMap& types);

  bool taken(const Node& node) const { return taken_.contains(&node); }
  /// Some node, or the caller, reads the value.
  bool used(const std::string& value) const { return users_.contains(value); }
  /// The nodes that read the value, each as often as it does; null stands for the caller.
  std::span<const Node* const> users(const std::string& value) const;

  /// Takes along what follows the product `request.node`, in this order and as far as each is the
  /// only user of what is before it: an Add of one constant an output (MatMul alone: the others
  /// have an input for it), a BatchNormalization, an Add of a computed value, an activation.
  /// @param find_residual  gives the value of that name, laid out as the result, or nothing.
  /// @return the name of what is then the step's result.
  std::string take(StepRequest& request,
                   const std::function<Operand(const std::string&)>& find_residual);

 private:
  const Node* only_user(const std::string& value) const;
  const Initializer* constant(const std::string& value) const;
  std::vector<Operand> constant_inputs(const Node& node) const;

  const Graph& graph_;
  const TypeMap& types_;
  std::map<std::string, std::vector<const Node*>, std::less<>> users_;  // null for the caller
  std::set<const Node*> taken_;
};

}  // namespace lastbit
