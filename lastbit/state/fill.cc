#include "lastbit/state/fill.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/state/pickle.h"

namespace lastbit {
namespace {

constexpr std::size_t kMostListed = 20;

std::string listed(const std::vector<std::string>& items) {
  const std::size_t count = std::min(items.size(), kMostListed);
  std::string text = join(std::span(items).first(count));
  return items.size() > count ? cat(text, " and ", items.size() - count, " more") : text;
}

// A batch norm behind a layer without bias.
struct Norm {
  std::string layer_bias;  // what the bias would be called
  std::string scale, shift, mean, variance;
  double epsilon = 0.0;
};

std::vector<Norm> norms_without_bias(const Graph& graph) {
  constexpr std::string_view kWeight = ".weight";
  std::map<std::string_view, std::string> biases;  // by the value that the layer makes
  std::vector<Norm> norms;
  for (const Node& node : graph.nodes) {
    const bool layer = node.op == "Conv" || node.op == "Gemm";
    if (layer && node.inputs.size() == 2 && node.inputs[1].ends_with(kWeight)) {
      const std::string& weight = node.inputs[1];
      biases[node.outputs[0]] = weight.substr(0, weight.size() - kWeight.size()) + ".bias";
    } else if (node.op == "BatchNormalization" && biases.contains(node.inputs[0])) {
      norms.push_back({.layer_bias = biases[node.inputs[0]],
                       .scale = node.inputs[1],
                       .shift = node.inputs[2],
                       .mean = node.inputs[3],
                       .variance = node.inputs[4],
                       .epsilon = float_attribute(node, "epsilon", 1e-5F)});
    }
  }
  return norms;
}

// What a constant is made of. Shapes are compared before anything is read.
struct Plan {
  std::string source;
  std::vector<const StateTensor*> tensors;
  std::function<std::vector<float>()> values;
};
using Plans = std::map<std::string, Plan, std::less<>>;

Plan plan_of(const StateTensor& tensor) {
  return {printable(tensor.name), {&tensor}, [&tensor] { return tensor.read(); }};
}

Plan constant_plan(std::size_t count, float value) {
  return {"(no batch norm)", {}, [=] { return std::vector<float>(count, value); }};
}

void require_shapes(const Graph& graph, const Plans& plans) {
  std::vector<std::string> differing;
  for (const std::string& constant : weight_constants(graph)) {
    const Shape& shape = shape_of(*graph.find_initializer(constant));
    for (const StateTensor* const tensor : plans.at(constant).tensors) {
      if (tensor->shape == shape) continue;
      differing.push_back(cat(constant,
                              " is ",
                              to_string(shape),
                              ", ",
                              printable(tensor->name),
                              " ",
                              to_string(tensor->shape)));
    }
  }
  if (differing.empty()) return;
  throw InputError(
      cat("[import] shapes of ", graph.name, " and of the state differ: ", listed(differing)));
}

// All plans are there: puts them into practice.
std::vector<FillRow> fill(Graph& graph, const Plans& plans) {
  require_shapes(graph, plans);
  std::vector<FillRow> rows;
  for (const std::string& constant : weight_constants(graph)) {
    const Plan& plan = plans.at(constant);
    const Shape shape = shape_of(*graph.find_initializer(constant));
    graph.initializers.at(constant) = Tensor::floats(shape, plan.values());
    rows.push_back({constant, plan.source, shape});
  }
  return rows;
}

// Takes biases that the graph has no place for into the batch norm behind. Those taken leave
// `tensors`.
void take_biases(const Graph& graph,
                 std::map<std::string_view, const StateTensor*>& tensors,
                 Plans& plans) {
  for (const Norm& norm : norms_without_bias(graph)) {
    const auto found = tensors.find(norm.layer_bias);
    if (found == tensors.end()) continue;
    const StateTensor& bias = *found->second;
    const std::string* const parts[] = {&norm.scale, &norm.shift, &norm.mean, &norm.variance};
    const auto is_known = [&](const std::string* part) { return tensors.contains(*part); };
    if (const auto mean = tensors.find(norm.mean); mean != tensors.end()) {
      const StateTensor& tensor = *mean->second;
      plans[norm.mean] = {cat(printable(tensor.name), " - ", printable(bias.name)),
                          {&tensor, &bias},
                          [&tensor, &bias] {
                            std::vector<float> values = tensor.read();
                            const std::vector<float> less = bias.read();
                            for (std::size_t i = 0; i < values.size(); ++i) values[i] -= less[i];
                            return values;
                          }};
      tensors.erase(norm.layer_bias);
      tensors.erase(norm.mean);
    } else if (std::none_of(std::begin(parts), std::end(parts), is_known)) {
      const auto count =
          static_cast<std::size_t>(element_count(shape_of(*graph.find_initializer(norm.scale))));
      // The deviation that batch norm divides by is then undone.
      plans[norm.scale] = constant_plan(count, static_cast<float>(std::sqrt(1.0 + norm.epsilon)));
      plans[norm.shift] = plan_of(bias);
      plans[norm.mean] = constant_plan(count, 0.0F);
      plans[norm.variance] = constant_plan(count, 1.0F);
      tensors.erase(norm.layer_bias);
    }
  }
}

}  // namespace

std::vector<std::string> weight_constants(const Graph& graph) {
  std::vector<std::string> result;
  std::set<std::string> seen;
  std::set<std::string> products;  // results of MatMul
  for (const Node& node : graph.nodes) {
    const bool sum = node.op == "Add" &&
                     (products.contains(node.inputs.at(0)) || products.contains(node.inputs.at(1)));
    if (node.op == "MatMul") products.insert(node.outputs.begin(), node.outputs.end());
    if (!sum && node.op != "Conv" && node.op != "Gemm" && node.op != "MatMul" &&
        node.op != "BatchNormalization") {
      continue;
    }
    for (const std::string& name : node.inputs) {
      if (graph.find_initializer(name) != nullptr && seen.insert(name).second)
        result.push_back(name);
    }
  }
  return result;
}

StateNames name_state(const Graph& graph,
                      std::span<const StateTensor> state,
                      std::span<const NameMap> maps) {
  const std::vector<std::string> constants = weight_constants(graph);
  std::set<std::string_view> known(constants.begin(), constants.end());
  const std::vector<Norm> norms = norms_without_bias(graph);
  for (const Norm& norm : norms) known.insert(norm.layer_bias);

  StateNames best;
  std::ptrdiff_t most = -1;
  const auto consider = [&](std::string_view family, std::span<const NameRule> rules) {
    StateNames result{.family = family, .names = {}};
    for (const StateTensor& tensor : state) {
      result.names.push_back(zoo_name(rules, maps, tensor.name));
    }
    const std::ptrdiff_t hits = std::ranges::count_if(
        result.names, [&](const std::string& name) { return known.contains(name); });
    if (hits <= most) return;
    most = hits;
    best = std::move(result);
  };
  consider({}, {});
  for (const NameFamily& family : name_families()) {
    if (matches(family.networks, graph.name)) consider(family.name, family.rules);
  }
  return best;
}

std::vector<FillRow> fill_by_name(Graph& graph,
                                  std::span<const StateTensor> state,
                                  std::span<const std::string> names) {
  std::map<std::string_view, const StateTensor*> tensors;
  for (std::size_t i = 0; i < state.size(); ++i) {
    if (names[i].empty()) continue;
    const auto [place, added] = tensors.emplace(names[i], &state[i]);
    if (!added) {
      throw InputError(cat("[import] the tensors ",
                           printable(place->second->name),
                           " and ",
                           printable(state[i].name),
                           " are both called ",
                           printable(names[i]),
                           " in ",
                           graph.name));
    }
  }
  Plans plans;
  take_biases(graph, tensors, plans);
  std::vector<std::string> missing;
  for (const std::string& constant : weight_constants(graph)) {
    if (plans.contains(constant)) continue;
    const auto found = tensors.find(constant);
    if (found == tensors.end()) {
      missing.push_back(constant);
      continue;
    }
    plans[constant] = plan_of(*found->second);
    tensors.erase(found);
  }
  std::vector<std::string> left;
  for (std::size_t i = 0; i < state.size(); ++i) {
    const auto found = tensors.find(names[i]);
    if (found != tensors.end() && found->second == &state[i]) {
      left.push_back(cat(printable(state[i].name), " ", to_string(state[i].shape)));
    }
  }
  if (!missing.empty() || !left.empty()) {
    throw InputError(cat("[import] the state does not fit ",
                         graph.name,
                         left.empty() ? "" : cat("; it has no place for: ", listed(left)),
                         missing.empty() ? "" : cat("; the state lacks: ", listed(missing)),
                         " (--map FROM=TO gives names)"));
  }
  return fill(graph, plans);
}

std::vector<FillRow> fill_in_order(Graph& graph, std::span<const StateTensor> state) {
  std::vector<const StateTensor*> tensors;
  for (const StateTensor& tensor : state) {
    if (!zoo_name({}, {}, tensor.name).empty()) tensors.push_back(&tensor);
  }
  const std::vector<std::string> constants = weight_constants(graph);
  if (tensors.size() != constants.size()) {
    throw InputError(cat("[import] the state has ",
                         tensors.size(),
                         " tensors, expected the ",
                         constants.size(),
                         " of ",
                         graph.name));
  }
  Plans plans;
  for (std::size_t i = 0; i < constants.size(); ++i) plans[constants[i]] = plan_of(*tensors[i]);
  return fill(graph, plans);
}

}  // namespace lastbit
