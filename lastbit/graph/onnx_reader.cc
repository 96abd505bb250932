#include <algorithm>
#include <new>
#include <queue>
#include <set>
#include <stdexcept>
#include <utility>

#include <protozero/exception.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/decode_function.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/graph/onnx_model.h"
#include "lastbit/graph/rules.h"

namespace lastbit {
namespace {

constexpr std::string_view kPlace = "[onnx] ";
constexpr std::int64_t kOldestReadOpset = 7;

Tensor constant_value(const Node& node) {
  if (node.attributes.size() == 1) {
    const auto& [name, value] = *node.attributes.begin();
    if (const auto* tensor = std::get_if<Tensor>(&value); tensor && name == "value") return *tensor;
    if (const auto* x = std::get_if<float>(&value); x && name == "value_float") {
      return Tensor::scalar(*x);
    }
    if (const auto* i = std::get_if<std::int64_t>(&value); i && name == "value_int") {
      return Tensor::int64s({}, {i, 1});
    }
    if (const auto* xs = std::get_if<std::vector<float>>(&value); xs && name == "value_floats") {
      return Tensor::floats({static_cast<std::int64_t>(xs->size())}, *xs);
    }
    if (const auto* is = std::get_if<std::vector<std::int64_t>>(&value);
        is && name == "value_ints") {
      return Tensor::int64s({static_cast<std::int64_t>(is->size())}, *is);
    }
  }
  throw InputError(cat("[onnx] node ",
                       describe(node),
                       ": expected one attribute, a tensor or numbers, as its value"));
}

void constants_to_initializers(Graph& graph) {
  std::vector<Node> rest;
  for (Node& node : graph.nodes) {
    if (node.op != "Constant" || !node.domain.empty() || node.outputs.size() != 1) {
      rest.push_back(std::move(node));
    } else if (!graph.initializers.emplace(node.outputs.front(), constant_value(node)).second) {
      throw FormatError(cat("[onnx] node ",
                            describe(node),
                            ": the name '",
                            node.outputs.front(),
                            "' is taken already"));
    }
  }
  graph.nodes = std::move(rest);
}

// What each node waits for, and the order that follows.
class Sorter {
 public:
  explicit Sorter(Graph& graph) : graph_(graph) {
    for (const Value& input : graph.inputs) claim(input.name, kNone, "an input");
    for (const auto& [name, initializer] : graph.initializers) {
      claim(name, kNone, "an initializer");
    }
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      for (const std::string& output : graph.nodes[i].outputs) {
        if (!output.empty()) claim(output, i, cat("node ", describe(graph.nodes[i])));
      }
    }
    for (const Value& output : graph.outputs) {
      if (!makers_.contains(output.name)) {
        throw FormatError(cat("[onnx] output '", output.name, "' of the graph is made by no node"));
      }
    }
  }

  // Keeps the file's order where that is one.
  void sort() {
    const std::size_t count = graph_.nodes.size();
    std::vector<std::size_t> waits(count);
    std::vector<std::vector<std::size_t>> users(count);
    for (std::size_t i = 0; i < count; ++i) {
      for (const std::string& input : graph_.nodes[i].inputs) {
        if (const std::size_t maker = find(input, graph_.nodes[i]); maker != kNone) {
          users[maker].push_back(i);
          ++waits[i];
        }
      }
    }
    std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
    for (std::size_t i = 0; i < count; ++i) {
      if (waits[i] == 0) ready.push(i);
    }
    std::vector<Node> sorted;
    while (!ready.empty()) {
      const std::size_t i = ready.top();
      ready.pop();
      for (const std::size_t user : users[i]) {
        if (--waits[user] == 0) ready.push(user);
      }
      sorted.push_back(std::move(graph_.nodes[i]));
    }
    if (sorted.size() < count) {
      const auto stuck = std::ranges::find_if(waits, [](std::size_t n) { return n > 0; });
      throw FormatError(cat("[onnx] node ",
                            describe(graph_.nodes[static_cast<std::size_t>(stuck - waits.begin())]),
                            ": its inputs depend on its own result"));
    }
    graph_.nodes = std::move(sorted);
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  void claim(const std::string& name, std::size_t maker, const std::string& what) {
    if (!makers_.emplace(name, maker).second) {
      throw FormatError(cat("[onnx] ", what, ": the name '", name, "' is taken already"));
    }
  }

  std::size_t find(const std::string& input, const Node& node) const {
    if (input.empty()) return kNone;
    const auto maker = makers_.find(input);
    if (maker == makers_.end()) {
      throw FormatError(cat("[onnx] node ",
                            describe(node),
                            ": input '",
                            input,
                            "' is no input or initializer of the graph, nor a node's result"));
    }
    return maker->second;
  }

  Graph& graph_;
  std::map<std::string, std::size_t, std::less<>> makers_;
};

void check_opset(const OnnxModel& model) {
  if (!model.opset) throw FormatError("[onnx] the model does not say its opset");
  if (*model.opset < kOldestReadOpset || *model.opset > kNewestOpset) {
    throw InputError(cat("[onnx] the model has opset ",
                         *model.opset,
                         ", supported are ",
                         kOldestReadOpset,
                         " to ",
                         kNewestOpset));
  }
}

// Squeeze and Unsqueeze have their axes as an attribute before opset 13, as an input from there on.
void axes_to_input(Graph& graph, Node& node) {
  if (!node.domain.empty() || (node.op != "Squeeze" && node.op != "Unsqueeze")) return;
  if (!node.attributes.contains("axes") || node.inputs.size() != 1) return;
  const std::vector<std::int64_t> axes = ints_attribute(node, "axes", {});
  std::string name = cat(node.outputs.empty() ? "" : node.outputs.front(), ".axes");
  while (graph.find_initializer(name) != nullptr) name += "_";
  graph.initializers.emplace(name, Tensor::int64s({static_cast<std::int64_t>(axes.size())}, axes));
  node.inputs.push_back(std::move(name));
  node.attributes.erase("axes");
}

void raise_opset(Graph& graph) {
  if (graph.opset >= kOldestOpset) return;
  for (Node& node : graph.nodes) {
    axes_to_input(graph, node);
    const Operator* op = node.domain.empty() ? find_operator(node.op) : nullptr;
    const bool squeezes = node.op == "Squeeze" || node.op == "Unsqueeze";
    if (op != nullptr && (op->since <= graph.opset || squeezes)) continue;
    throw InputError(cat(
        "[onnx] node ",
        describe(node),
        ": at the model's opset ",
        graph.opset,
        op != nullptr ? cat(" the operator means something else than from opset ", op->since, " on")
                      : cat(" (older than ", kOldestOpset, ") the operator is not supported"),
        "; convert the model to opset ",
        kOldestOpset,
        " or newer"));
  }
  graph.opset = kOldestOpset;
}

Graph parse(std::span<const std::byte> bytes, const Source& source) {
  if (bytes.empty()) throw FormatError("[onnx] there are no bytes, expected an ONNX model");
  try {
    OnnxModel model = parse_model(bytes, source);
    if (!model.has_graph)
      throw FormatError("[onnx] there is no graph in it, expected an ONNX model");
    check_opset(model);
    Graph graph = std::move(model.graph);
    graph.opset = *model.opset;
    constants_to_initializers(graph);
    Sorter(graph).sort();
    fold_decode(graph);
    raise_opset(graph);
    return graph;
  } catch (const protozero::exception& error) {
    throw FormatError(cat(
        "[onnx] the bytes are not an ONNX model or are cut off (protobuf: ", error.what(), ")"));
  } catch (const std::bad_alloc&) {
    throw InputError("[onnx] the model needs more memory than there is");
  } catch (const std::length_error&) {
    throw InputError("[onnx] the model needs more memory than there is");
  }
}

}  // namespace

Graph parse_onnx(std::span<const std::byte> bytes,
                 const std::filesystem::path& folder,
                 const ReadOptions& options) {
  Source source{.folder = folder};
  // An owner of nothing: the caller keeps the bytes.
  if (options.keep_bytes) source.owner = {std::shared_ptr<const void>(), bytes.data()};
  return parse(bytes, source);
}

Graph read_onnx(const std::filesystem::path& path, const ReadOptions& options) {
  const auto file = std::make_shared<const MappedFile>(path);
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const auto with_path = [&](const InputError& error) {
    std::string_view message(error.what());
    if (message.starts_with(kPlace)) message.remove_prefix(kPlace.size());
    return cat(kPlace, path.string(), ": ", message);
  };
  try {
    Source source{.folder = folder};
    if (options.keep_bytes) source.owner = file;
    return parse(file->bytes(), source);
  } catch (const FormatError& error) {
    throw FormatError(with_path(error));
  } catch (const InputError& error) {
    throw InputError(with_path(error));
  }
}

}  // namespace lastbit
