#include "lastbit/graph/parameters.h"

#include <algorithm>
#include <set>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

bool is_float_initializer(const Graph& graph, const std::string& name) {
  const Initializer* found = graph.find_initializer(name);
  if (found == nullptr) return false;
  const auto* plain = std::get_if<Tensor>(found);
  return plain == nullptr || plain->type() == DType::kFloat;
}

// Names of the constants of `node` that are biases or a norm's parameters. `linear` holds the
// results of nodes that compute a matrix product, so that an addition after one is seen as its
// bias.
std::vector<std::string> bias_inputs(const Node& node, const std::set<std::string>& linear) {
  const auto input = [&](std::size_t i) { return i < node.inputs.size() ? node.inputs[i] : ""; };
  if (node.op == "Conv" || node.op == "Gemm") return {input(2)};
  if (node.op == "BatchNormalization") return {input(1), input(2)};
  if (node.op == "Add" && linear.contains(input(0))) return {input(1)};
  if (node.op == "Add" && linear.contains(input(1))) return {input(0)};
  return {};
}

bool selects(const std::string& pattern, const WeightUse& use) {
  return matches(pattern, use.layer) || matches(pattern, use.initializer);
}

struct Rule {
  std::string pattern;
  std::shared_ptr<const Projector> set;
};

Rule parse_rule(const std::string& text) {
  const auto equals = text.find('=');
  const std::string pattern = equals == std::string::npos ? "*" : text.substr(0, equals);
  const std::string set = equals == std::string::npos ? text : text.substr(equals + 1);
  if (pattern.empty() || set.empty()) {
    throw InputError(cat(
        "[codebook] '", text, "' is not a rule, expected SET or PATTERN=SET, as 'fc*=ternary'"));
  }
  return {pattern, set == "float" ? nullptr : parse_projector(set)};
}

}  // namespace

std::vector<Parameter> trainable_parameters(const Graph& graph) {
  std::vector<Parameter> result;
  std::set<std::string> seen;
  const auto add = [&](const std::string& name, bool matrix) {
    if (!is_float_initializer(graph, name) || !seen.insert(name).second) return;
    result.push_back({name, shape_of(*graph.find_initializer(name)), matrix});
  };
  for (const WeightUse& use : lowbit_candidates(graph)) add(use.initializer, true);
  std::set<std::string> linear;
  for (const Node& node : graph.nodes) {
    for (const std::string& name : bias_inputs(node, linear)) add(name, false);
    if (node.op == "MatMul" || node.op == "Conv")
      linear.insert(node.outputs.begin(), node.outputs.end());
  }
  return result;
}

std::vector<Constraint> choose_codebooks(const Graph& graph, std::span<const std::string> rules) {
  std::vector<Constraint> result;
  std::vector<std::string> layers;
  for (WeightUse& use : lowbit_candidates(graph)) {
    layers.push_back(use.layer);
    result.push_back({std::move(use), nullptr});
  }
  for (const std::string& text : rules) {
    const Rule rule = parse_rule(text);
    bool matched = false;
    for (Constraint& constraint : result) {
      if (!selects(rule.pattern, constraint.use)) continue;
      constraint.set = rule.set;
      matched = true;
    }
    if (!matched) {
      throw InputError(cat("[codebook] '",
                           text,
                           "' matches no layer, the layers are: ",
                           layers.empty() ? "none" : join(layers)));
    }
  }
  if (std::none_of(
          result.begin(), result.end(), [](const Constraint& c) { return c.set != nullptr; })) {
    throw InputError("[codebook] every layer stays float, expected a codebook for at least one");
  }
  return result;
}

void share_codebooks(std::vector<Constraint>& constraints, std::span<const std::string> patterns) {
  int number = 0;
  for (const std::string& pattern : patterns) {
    const auto fail = [&](const std::string& what) {
      throw InputError(cat("[share] '", pattern, "' ", what));
    };
    std::vector<Constraint*> members;
    for (Constraint& constraint : constraints) {
      if (constraint.set == nullptr || !selects(pattern, constraint.use)) continue;
      if (constraint.shared >= 0) {
        fail(cat("selects '", constraint.use.layer, "', which already shares another codebook"));
      }
      const Granularity per = constraint.set->granularity();
      if (per != Granularity::kNone && per != Granularity::kTensor) {
        fail(cat("selects '",
                 constraint.use.layer,
                 "' with codebook ",
                 constraint.set->name(),
                 ", expected a scale per tensor or none"));
      }
      if (!members.empty() && members.front()->set->name() != constraint.set->name()) {
        fail(cat("selects '",
                 members.front()->use.layer,
                 "' with codebook ",
                 members.front()->set->name(),
                 " and '",
                 constraint.use.layer,
                 "' with ",
                 constraint.set->name(),
                 ", expected one codebook"));
      }
      members.push_back(&constraint);
    }
    if (members.size() < 2) {
      fail(cat("selects ", members.size(), " low-bit layers, expected at least two"));
    }
    for (Constraint* member : members) member->shared = number;
    ++number;
  }
}

Graph project_weights(Graph graph, std::span<const Constraint> constraints) {
  for (const Constraint& constraint : constraints) {
    if (constraint.set == nullptr) continue;
    const int axis = constraint.use.channel_axis;
    Initializer& initializer = graph.initializers.find(constraint.use.initializer)->second;
    const Tensor weights = decode(initializer);
    const Quantized projected =
        constraint.set->project(weights.as_floats(), channel_layout(weights.shape(), axis));
    initializer = pack_lowbit(projected, weights.shape(), axis, constraint.set->name());
  }
  return graph;
}

}  // namespace lastbit
