#include "lastbit/graph/parameters.h"

#include <algorithm>
#include <set>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/recurrent.h"

namespace lastbit {
namespace {

bool is_float_initializer(const Graph& graph, const std::string& name) {
  const Initializer* found = graph.find_initializer(name);
  if (found == nullptr) return false;
  const auto* plain = std::get_if<Tensor>(found);
  return plain == nullptr || plain->type() == DType::kFloat;
}

constexpr std::string_view kKernel = "kernel:";

/// Values whose meaning the nodes that use them need to know.
struct Meanings {
  std::set<std::string> linear;      // results of Conv and MatMul
  std::set<std::string> lengths;     // of ReduceL2, and those plus something
  std::set<std::string> directions;  // something divided by its length
};

void learn(const Node& node, Meanings& known) {
  const auto input_in = [&](const std::set<std::string>& set, std::size_t i) {
    return i < node.inputs.size() && set.contains(node.inputs[i]);
  };
  const auto add = [&](std::set<std::string>& set) {
    set.insert(node.outputs.begin(), node.outputs.end());
  };
  if (node.op == "MatMul" || node.op == "Conv") add(known.linear);
  if (node.op == "ReduceL2") add(known.lengths);
  if (node.op == "Add" && (input_in(known.lengths, 0) || input_in(known.lengths, 1))) {
    add(known.lengths);
  }
  if (node.op == "Div" && input_in(known.lengths, 1)) add(known.directions);
}

// Names of the constants of `node` that are biases or a norm's parameters.
std::vector<std::string> bias_inputs(const Node& node, const Meanings& known) {
  const auto input = [&](std::size_t i) { return i < node.inputs.size() ? node.inputs[i] : ""; };
  if (node.op == "Conv" || node.op == "Gemm") return {input(2)};
  if (node.op == "BatchNormalization") return {input(1), input(2)};
  if (is_recurrent(node)) return {input(kRecurrentBias)};
  if (node.op == "Add" || node.op == "Mul") {
    const std::set<std::string>& set = node.op == "Add" ? known.linear : known.directions;
    if (set.contains(input(0))) return {input(1)};
    if (set.contains(input(1))) return {input(0)};
  }
  return {};
}

// "3x3" for a kernel of shape [out, in, 3, 3]; empty for a matrix.
std::string kernel_text(const Shape& shape) {
  std::string text;
  for (std::size_t i = 2; i < shape.size(); ++i) text += cat(i > 2 ? "x" : "", shape[i]);
  return text;
}

// The sides of the kernel that a convolution has; empty for other weights.
std::string kernel_of(const Graph& graph, const WeightUse& use) {
  for (const Node& node : graph.nodes) {
    const bool uses = node.inputs.size() > 1 && node.inputs[1] == use.initializer;
    if (uses && node.op == "Conv") {
      return kernel_text(shape_of(*graph.find_initializer(use.initializer)));
    }
  }
  return "";
}

bool selects(const std::string& pattern, const WeightUse& use, const Graph& graph) {
  if (!pattern.starts_with(kKernel)) {
    return matches(pattern, use.layer) || matches(pattern, use.initializer);
  }
  const std::string kernel = kernel_of(graph, use);
  return !kernel.empty() && matches(pattern.substr(kKernel.size()), kernel);
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
  Meanings known;
  for (const Node& node : graph.nodes) {
    for (const std::string& name : bias_inputs(node, known)) add(name, false);
    learn(node, known);
  }
  return result;
}

ChannelLayout layout_of(const WeightUse& use,
                        std::span<const std::int64_t> shape,
                        const Projector& set) {
  if (!set.by_gate()) return channel_layout(shape, use.channel_axis);
  // [directions, gates * hidden, inputs]
  const std::int64_t gates = shape[0] * use.gates;
  return {.before = 1, .channels = gates, .after = gates == 0 ? 0 : element_count(shape) / gates};
}

LowBitTensor pack_weight(const Quantized& quantized,
                         Shape shape,
                         const WeightUse& use,
                         const Projector& set) {
  if (set.by_gate()) return pack_runs(quantized, std::move(shape), set.name());
  return pack_lowbit(quantized, std::move(shape), use.channel_axis, set.name());
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
      if (!selects(rule.pattern, constraint.use, graph)) continue;
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
  for (const Constraint& constraint : result) {
    if (constraint.set == nullptr || !constraint.set->by_gate() || constraint.use.gates > 0)
      continue;
    throw InputError(cat("[codebook] '",
                         constraint.use.layer,
                         "' has no gates, expected another set than ",
                         constraint.set->name(),
                         " for what is no LSTM or GRU"));
  }
  if (std::none_of(
          result.begin(), result.end(), [](const Constraint& c) { return c.set != nullptr; })) {
    throw InputError("[codebook] every layer stays float, expected a codebook for at least one");
  }
  return result;
}

void share_codebooks(const Graph& graph,
                     std::vector<Constraint>& constraints,
                     std::span<const std::string> patterns) {
  int number = 0;
  for (const std::string& pattern : patterns) {
    const auto fail = [&](const std::string& what) {
      throw InputError(cat("[share] '", pattern, "' ", what));
    };
    std::vector<Constraint*> members;
    for (Constraint& constraint : constraints) {
      if (constraint.set == nullptr || !selects(pattern, constraint.use, graph)) continue;
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
    Initializer& initializer = graph.initializers.find(constraint.use.initializer)->second;
    const Tensor weights = decode(initializer);
    const Quantized projected = constraint.set->project(
        weights.as_floats(), layout_of(constraint.use, weights.shape(), *constraint.set));
    initializer = pack_weight(projected, weights.shape(), constraint.use, *constraint.set);
  }
  return graph;
}

}  // namespace lastbit
