#include "lastbit/state/normalize.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

struct Known {
  std::string_view name;
  std::array<float, 3> mean;
  std::array<float, 3> deviation;
};

constexpr std::array kKnown = {
    Known{"imagenet", {0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F}},
    Known{"cifar10", {0.4914F, 0.4822F, 0.4465F}, {0.2470F, 0.2435F, 0.2616F}},
};

void check(const char* what, std::span<const float> values, std::int64_t channels, bool positive) {
  if (static_cast<std::int64_t>(values.size()) != channels) {
    throw InputError(cat("[normalization] the ",
                         what,
                         " has ",
                         values.size(),
                         " numbers, expected ",
                         channels,
                         ", one a channel"));
  }
  for (const float value : values) {
    if (std::isfinite(value) && (!positive || value > 0.0F)) continue;
    throw InputError(cat("[normalization] the ",
                         what,
                         " has the number ",
                         value,
                         ", expected ",
                         positive ? "positive" : "finite",
                         " ones"));
  }
}

}  // namespace

std::vector<std::string_view> known_normalizations() {
  std::vector<std::string_view> names = {"none"};
  for (const Known& known : kKnown) names.push_back(known.name);
  return names;
}

Normalization known_normalization(std::string_view name) {
  if (name == "none") return {};
  for (const Known& known : kKnown) {
    if (known.name == name) {
      return {{known.mean.begin(), known.mean.end()},
              {known.deviation.begin(), known.deviation.end()}};
    }
  }
  throw InputError(cat("[normalization] there is no normalization '",
                       name,
                       "', expected one of ",
                       join(known_normalizations())));
}

void normalize_input(Graph& graph, const Normalization& normalization) {
  if (normalization.mean.empty() && normalization.deviation.empty()) return;
  const auto subtraction = std::ranges::find_if(graph.nodes, [](const Node& node) {
    return node.inputs.size() == 2 && node.inputs[1] == "input.mean";
  });
  if (subtraction == graph.nodes.end()) {
    throw InputError(cat("[normalization] ", graph.name, " has no mean of its input to set"));
  }
  const Shape shape = shape_of(graph.initializers.at("input.mean"));
  const std::int64_t channels = element_count(shape);
  const auto constant = [&](const char* what, std::span<const float> values, bool positive) {
    check(what, values, channels, positive);
    return Tensor::floats(shape, values);
  };
  if (!normalization.mean.empty()) {
    graph.initializers.at("input.mean") = constant("mean", normalization.mean, false);
  }
  if (normalization.deviation.empty()) return;
  graph.initializers.emplace("input.deviation",
                             constant("deviation", normalization.deviation, true));
  const std::string centered = subtraction->outputs.front();
  const std::string scaled = "scale.out";
  for (Node& node : graph.nodes) {
    std::ranges::replace(node.inputs, centered, scaled);
  }
  graph.nodes.insert(subtraction + 1,
                     Node{.name = "scale",
                          .op = "Div",
                          .domain = {},
                          .inputs = {centered, "input.deviation"},
                          .outputs = {scaled},
                          .attributes = {}});
}

}  // namespace lastbit
