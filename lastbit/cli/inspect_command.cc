#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/command_line.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/json_text.h"
#include "lastbit/cli/language_model.h"
#include "lastbit/cli/network_options.h"
#include "lastbit/cli/progress.h"
#include "lastbit/cli/table.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/graph/products.h"

namespace lastbit {
namespace {

struct Row {
  std::string name;
  Shape shape;
  std::string set;     // "float" where it is
  std::string scale;   // the scale, or least..greatest
  double bits = 32.0;  // a weight, scales and codebook left out
  std::int64_t bytes = 0;
  std::vector<double> shares;  // of each level, ascending
};

std::string scale_text(const std::vector<float>& scales) {
  const auto [low, high] = std::minmax_element(scales.begin(), scales.end());
  return scales.size() == 1 ? fmt::format("{:.5g}", *low)
                            : fmt::format("{:.3g}..{:.3g}", *low, *high);
}

Row describe(const std::string& name, const LowBitTensor& tensor) {
  const Quantized quantized = unpack_lowbit(tensor);
  std::vector<double> shares(static_cast<std::size_t>(quantized.levels.size()), 0.0);
  for (const Code code : quantized.codes) shares[code] += 1.0;
  const auto count = static_cast<double>(quantized.codes.size());
  for (double& share : shares) share /= std::max(1.0, count);
  const auto floats = tensor.scales.size() + static_cast<std::size_t>(tensor.codebook.size());
  return {.name = name,
          .shape = tensor.shape,
          .set = tensor.set.empty() ? cat(tensor.codebook.size(), " levels") : tensor.set,
          .scale = scale_text(tensor.scales),
          .bits = 8.0 * static_cast<double>(tensor.packed.size()) / std::max(1.0, count),
          .bytes = static_cast<std::int64_t>(tensor.packed.size() + 4 * floats),
          .shares = shares};
}

Row describe(const std::string& name, const Tensor& tensor) {
  return {.name = name,
          .shape = tensor.shape(),
          .set = std::string(to_string(tensor.type())),
          .scale = "",
          .bits = 8.0 * static_cast<double>(element_size(tensor.type())),
          .bytes = static_cast<std::int64_t>(tensor.bytes().size()),
          .shares = {}};
}

// In the order of the nodes that use them, which is how a person knows the network.
std::vector<Row> rows_of(const Graph& graph) {
  std::vector<Row> rows;
  std::vector<std::string> seen;
  for (const Node& node : graph.nodes) {
    for (const std::string& name : node.inputs) {
      const Initializer* initializer = graph.find_initializer(name);
      if (initializer == nullptr || std::find(seen.begin(), seen.end(), name) != seen.end())
        continue;
      seen.push_back(name);
      rows.push_back(
          std::visit([&](const auto& tensor) { return describe(name, tensor); }, *initializer));
    }
  }
  return rows;
}

std::string shares_text(const std::vector<double>& shares) {
  std::vector<std::string> parts;
  for (const double share : shares) parts.push_back(fmt::format("{:.0f}", 100.0 * share));
  return shares.size() > 9 ? cat(shares.size(), " levels") : join(parts, "/");
}

// For one sample, or one token. None if shapes cannot be inferred; the file can be inspected all
// the same.
std::optional<double> products_of(const Graph& graph) {
  // Those of a language model, which are open.
  std::map<std::string, std::int64_t, std::less<>> sizes;
  for (const char* const symbol : {"steps", "batch"}) {
    if (is_language_model(graph)) sizes.emplace(symbol, 1);
  }
  try {
    return product_count(graph, infer_shapes(graph, 1, sizes));
  } catch (const InputError&) {
    return std::nullopt;
  }
}

nlohmann::ordered_json to_json(const Row& row) {
  return {{"name", row.name},
          {"shape", row.shape},
          {"codebook", row.set},
          {"scale", row.scale},
          {"bits_per_weight", row.bits},
          {"bytes", row.bytes},
          {"level_shares", row.shares}};
}

}  // namespace

int inspect_command(int argc, char** argv) {
  CommandLine line(
      "lastbit inspect",
      "What is in a model file: a row for each constant, and the size against float32.\n"
      "Example: lastbit inspect compressed.onnx");
  std::string model;
  bool json = false;
  line.app().add_option("model,--model", model, "The model")->required()->type_name("FILE.onnx");
  line.app().add_flag("--json", json, "Print one JSON object");
  if (!line.parse(argc, argv)) return 0;

  const Graph graph = read_onnx(model);
  const std::vector<Row> rows = rows_of(graph);
  std::int64_t weights = 0;
  std::int64_t stored = 0;
  double float_bytes = 0.0;
  for (const Row& row : rows) {
    const std::int64_t count = element_count(row.shape);
    weights += count;
    stored += row.bytes;
    float_bytes += 4.0 * static_cast<double>(count);
  }
  const std::optional<double> products = products_of(graph);
  const std::int64_t trained = parameter_count(graph);
  const auto file = static_cast<double>(std::filesystem::file_size(model));
  if (json) {
    nlohmann::ordered_json layers = nlohmann::ordered_json::array();
    for (const Row& row : rows) layers.push_back(to_json(row));
    const nlohmann::ordered_json out = {
        {"model", model},
        {"opset", graph.opset},
        {"file_bytes", static_cast<std::int64_t>(file)},
        {"float_bytes", float_bytes},
        {"ratio", float_bytes / file},
        {"parameters", weights},
        {"trained_parameters", trained},
        {"multiply_adds", products ? nlohmann::ordered_json(*products) : nullptr},
        {"layers", layers}};
    std::cout << json_line(out);
    return 0;
  }
  Table table(
      {"constant", "shape", "codebook", "scale", "bits/weight", "bytes", "% of each level"});
  for (const Row& row : rows) {
    table.add({row.name,
               to_string(row.shape),
               row.set,
               row.scale,
               fmt::format("{:.2f}", row.bits),
               cat(row.bytes),
               shares_text(row.shares)});
  }
  std::cout
      << model << ": " << graph.nodes.size() << " nodes, opset " << graph.opset << "\n"
      << table.text()
      << fmt::format(
             "{} parameters; file {} against {} in float32: {:.1f} times smaller, {:.2f} bits a "
             "parameter\n",
             weights,
             bytes_text(file),
             bytes_text(float_bytes),
             float_bytes / file,
             8.0 * file / std::max<double>(1.0, static_cast<double>(weights)))
      << fmt::format("{} of the parameters are trained; ", trained)
      << (products ? fmt::format("{:.0f} multiply-adds a {}\n",
                                 *products,
                                 is_language_model(graph) ? "token" : "sample")
                   : "multiply-adds are not known: the shapes cannot be inferred\n")
      << fmt::format("constants {} bytes, all else {} bytes\n",
                     stored,
                     static_cast<std::int64_t>(file) - stored);
  return 0;
}

}  // namespace lastbit
