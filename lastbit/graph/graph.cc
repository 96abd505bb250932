#include "lastbit/graph/graph.h"

#include <optional>
#include <set>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/recurrent.h"

namespace lastbit {
namespace {

// In the order of the alternatives of `Attribute`.
constexpr std::string_view kKinds[] = {
    "an integer", "a float", "a string", "integers", "floats", "strings", "a tensor"};

template <typename T>
T attribute(const Node& node, std::string_view name, T fallback) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) return fallback;
  if (const T* value = std::get_if<T>(&found->second)) return *value;
  throw InputError(cat("[graph] node ",
                       describe(node),
                       ": attribute '",
                       name,
                       "' is ",
                       kKinds[found->second.index()],
                       ", expected ",
                       kKinds[Attribute(T{}).index()]));
}

// The axis of the output channels of the constant that `node` takes as its input `i`, if that is a
// weight.
std::optional<int> weight_channel_axis(const Node& node, std::size_t i, const Shape& shape) {
  if (!node.domain.empty()) return std::nullopt;
  if (node.op == "Gather") {
    const bool rows = i == 0 && shape.size() == 2 && int_attribute(node, "axis", 0) == 0;
    return rows ? std::optional(0) : std::nullopt;
  }
  if (is_recurrent(node)) {
    return (i == 1 || i == 2) && shape.size() == 3 ? std::optional(1) : std::nullopt;
  }
  if (i != 1) return std::nullopt;
  if (node.op == "Conv" && shape.size() >= 3) return 0;
  if (node.op == "MatMul" && shape.size() == 2) return 1;
  if (node.op == "Gemm" && shape.size() == 2) return int_attribute(node, "transB", 0) != 0 ? 0 : 1;
  return std::nullopt;
}

std::int64_t gate_count(const Node& node) {
  if (!is_recurrent(node)) return 0;
  return node.op == "LSTM" ? 4 : 3;
}

std::string layer_name(const Node& node, std::string_view initializer, std::size_t i) {
  if (!node.name.empty()) {
    return is_recurrent(node) ? cat(node.name, i == 1 ? ".input" : ".recurrent") : node.name;
  }
  constexpr std::string_view kSuffix = ".weight";
  if (initializer.size() > kSuffix.size() && initializer.ends_with(kSuffix)) {
    initializer.remove_suffix(kSuffix.size());
  }
  return std::string(initializer);
}

bool is_float(const Initializer& initializer) noexcept {
  const Tensor* plain = std::get_if<Tensor>(&initializer);
  return plain == nullptr || plain->type() == DType::kFloat;
}

}  // namespace

std::string describe(const Node& node) {
  const std::string op = node.domain.empty() ? node.op : cat(node.domain, ".", node.op);
  if (!node.name.empty()) return cat("'", node.name, "' (", op, ")");
  if (!node.outputs.empty()) return cat("that makes '", node.outputs.front(), "' (", op, ")");
  return cat("without a name (", op, ")");
}

std::int64_t int_attribute(const Node& node, std::string_view name, std::int64_t fallback) {
  return attribute<std::int64_t>(node, name, fallback);
}

float float_attribute(const Node& node, std::string_view name, float fallback) {
  return attribute<float>(node, name, fallback);
}

std::string string_attribute(const Node& node, std::string_view name, std::string fallback) {
  return attribute<std::string>(node, name, std::move(fallback));
}

std::vector<std::int64_t> ints_attribute(const Node& node,
                                         std::string_view name,
                                         std::vector<std::int64_t> fallback) {
  return attribute<std::vector<std::int64_t>>(node, name, std::move(fallback));
}

std::string to_string(const std::vector<Dim>& dims) {
  std::vector<std::string> texts;
  for (const Dim& dim : dims) {
    if (dim.known()) {
      texts.push_back(cat(dim.size));
    } else {
      texts.push_back(dim.symbol.empty() ? "?" : dim.symbol);
    }
  }
  return cat("[", join(texts), "]");
}

const Shape& shape_of(const Initializer& initializer) noexcept {
  if (const auto* low_bit = std::get_if<LowBitTensor>(&initializer)) return low_bit->shape;
  return std::get_if<Tensor>(&initializer)->shape();
}

Tensor decode(const Initializer& initializer) {
  if (const auto* low_bit = std::get_if<LowBitTensor>(&initializer)) return decode(*low_bit);
  return std::get<Tensor>(initializer);
}

const Initializer* Graph::find_initializer(std::string_view initializer) const noexcept {
  const auto found = initializers.find(initializer);
  return found == initializers.end() ? nullptr : &found->second;
}

std::vector<WeightUse> lowbit_candidates(const Graph& graph) {
  std::vector<WeightUse> uses;
  std::set<std::string_view> seen;
  for (const Node& node : graph.nodes) {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const std::string& name = node.inputs[i];
      const Initializer* initializer = graph.find_initializer(name);
      if (initializer == nullptr || !is_float(*initializer)) continue;
      const std::optional<int> axis = weight_channel_axis(node, i, shape_of(*initializer));
      if (axis && seen.insert(name).second)
        uses.push_back({layer_name(node, name, i), name, *axis, gate_count(node)});
    }
  }
  return uses;
}

}  // namespace lastbit
