#include <algorithm>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/command_line.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/network_options.h"
#include "lastbit/cli/table.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/state/fill.h"
#include "lastbit/state/normalize.h"
#include "lastbit/state/state.h"

namespace lastbit {
namespace {

struct Import {
  std::string network;
  std::string state;
  std::string out;
  std::string normalization;
  Normalization numbers;
  std::vector<std::string> maps;
  bool by_order = false;
  bool has_input = false;  // whether the options say so, of each
  bool has_classes = false;
  bool has_shortcut = false;
};

// Networks whose published forms differ in their shortcuts alone.
constexpr std::string_view kTwoShortcuts[] = {"resnet20", "resnet32", "resnet44", "resnet56"};

bool has_two_shortcuts(std::string_view network) {
  return std::ranges::find(kTwoShortcuts, network) != std::end(kTwoShortcuts);
}

Shape usual_input(std::string_view network) {
  if (has_two_shortcuts(network)) return {3, 32, 32};
  if (network.starts_with("lenet") || network == "mlp") return {1, 28, 28};
  return {3, 224, 224};
}

// Takes "input.mean" or "input.deviation" out of the state of a file of our own.
std::vector<float> take(std::vector<StateTensor>& state, std::string_view name) {
  const auto found = std::ranges::find(state, name, &StateTensor::name);
  if (found == state.end()) return {};
  std::vector<float> values = found->read();
  state.erase(found);
  return values;
}

Normalization normalization_of(const Import& choice, std::vector<StateTensor>& state) {
  const Normalization own{take(state, kInputMean), take(state, kInputDeviation)};
  const bool has_numbers = !choice.numbers.mean.empty() || !choice.numbers.deviation.empty();
  if (!choice.normalization.empty()) {
    if (has_numbers) {
      throw InputError(
          "[import] --normalize and --mean or --deviation are given, expected one or the others");
    }
    return known_normalization(choice.normalization);
  }
  return has_numbers ? choice.numbers : own;
}

// The first size of the tensor that is the weight of the last layer.
std::optional<std::int64_t> classes_of(const Graph& graph,
                                       const Import& choice,
                                       const std::vector<StateTensor>& state,
                                       const StateNames& names) {
  if (choice.by_order) {
    if (state.back().shape.empty()) return std::nullopt;
    return state.back().shape.front();
  }
  const std::vector<WeightUse> layers = lowbit_candidates(graph);
  const auto found = std::ranges::find(names.names, layers.back().initializer);
  if (found == names.names.end()) return std::nullopt;
  const Shape& shape = state[static_cast<std::size_t>(found - names.names.begin())].shape;
  return shape.empty() ? std::nullopt : std::optional(shape.front());
}

// Whether the state has parameters for shortcuts.
bool has_shortcuts(const Graph& graph,
                   const Import& choice,
                   const std::vector<StateTensor>& state,
                   const StateNames& names) {
  if (choice.by_order) return state.size() >= weight_constants(graph).size();
  return std::ranges::any_of(names.names, [](const std::string& name) {
    return name.find(".shortcut") != std::string::npos;
  });
}

// @param report  gets what was done.
void refuse_language_model(std::string_view network) {
  const auto row = std::ranges::find(architectures(), network, &Architecture::name);
  if (row == architectures().end() || row->kind != NetworkKind::kLanguage) return;
  throw InputError(
      cat("[import] ",
          network,
          ": weights of language models are not imported, since other programs have the "
          "gates of LSTM and GRU in another order; expected another network"));
}

Graph make_filled(const Import& choice,
                  ZooOptions options,
                  std::vector<StateTensor> state,
                  std::string& report) {
  refuse_language_model(choice.network);
  std::vector<NameMap> maps;
  for (const std::string& map : choice.maps) maps.push_back(parse_name_map(map));
  const Normalization normalization = normalization_of(choice, state);
  if (state.empty()) throw InputError(cat("[import] ", choice.state, " holds no weights"));
  const bool normalized = !normalization.mean.empty() || !normalization.deviation.empty();
  options.center = normalized ? "channel" : "none";
  if (!choice.has_input) options.input = usual_input(choice.network);

  Graph graph = make_network(choice.network, options);
  const StateNames names = name_state(graph, state, maps);
  const ZooOptions first = options;
  if (!choice.has_classes) {
    options.classes = classes_of(graph, choice, state, names).value_or(options.classes);
  }
  if (!choice.has_shortcut && has_two_shortcuts(choice.network) &&
      !has_shortcuts(graph, choice, state, names)) {
    options.shortcut = "pad";
  }
  if (options.classes != first.classes || options.shortcut != first.shortcut) {
    graph = make_network(choice.network, options);
  }
  const std::vector<FillRow> rows =
      choice.by_order ? fill_in_order(graph, state) : fill_by_name(graph, state, names.names);
  normalize_input(graph, normalization);

  Table table({"constant", "shape", "tensor"});
  for (const FillRow& row : rows) table.add({row.constant, to_string(row.shape), row.source});
  report = table.text();
  if (choice.by_order) {
    report += "tensors taken in their order\n";
  } else if (!names.family.empty()) {
    report += cat("names of ", names.family, "\n");
  }
  const auto passed = std::ranges::count(names.names, std::string());
  if (passed > 0) report += cat("passed over: ", passed, " tensors that serve training alone\n");
  if (has_two_shortcuts(choice.network)) report += cat("shortcut: ", options.shortcut, "\n");
  report += cat("input: ", to_string(options.input));
  if (!normalized) report += ", as it is";
  if (!normalization.mean.empty()) report += cat(", less ", join(normalization.mean, ","));
  if (!normalization.deviation.empty())
    report += cat(", over ", join(normalization.deviation, ","));
  report += "\n";
  return graph;
}

}  // namespace

int import_command(int argc, char** argv) {
  CommandLine line(
      "lastbit import",
      "Fills an architecture of the zoo with trained weights: a PyTorch state dict, a safetensors "
      "file or the constants of an ONNX file. Nothing in the file is run.\n"
      "Example: lastbit import resnet20 resnet20.th --normalize imagenet --out resnet20.onnx");
  Import choice;
  ZooOptions options;
  CLI::App& app = line.app();
  app.add_option("name,--name", choice.network, "Architecture to fill, as 'lastbit zoo' lists them")
      ->required()
      ->type_name("NAME");
  app.add_option(
         "state,--state", choice.state, "The weights: .pth, .pt, .th, .safetensors or .onnx")
      ->required()
      ->type_name("FILE");
  app.add_option("--out", choice.out, "File to write")->required()->type_name("FILE.onnx");
  app.add_option("--map",
                 choice.maps,
                 "What tensors are called: FROM=TO, where * is any text and # a number")
      ->take_all()
      ->type_name("FROM=TO");
  app.add_flag(
      "--by-order", choice.by_order, "Take the tensors in their order, whatever their names");
  app.add_option("--normalize",
                 choice.normalization,
                 "What the network was trained on: statistics of imagenet, cifar10, or none")
      ->type_name("NAME");
  app.add_option("--mean", choice.numbers.mean, "The mean to subtract, one number a channel")
      ->delimiter(',')
      ->type_name("X,X,...");
  app.add_option("--deviation",
                 choice.numbers.deviation,
                 "The deviation to divide by, one number a channel")
      ->delimiter(',')
      ->type_name("X,X,...");
  add_network_options(app, options);
  app.remove_option(app.get_option("--center"));
  if (!line.parse(argc, argv)) return 0;
  choice.has_input = app.count("--input") > 0;
  choice.has_classes = app.count("--classes") > 0;
  choice.has_shortcut = app.count("--shortcut") > 0;
  if (choice.by_order && std::filesystem::path(choice.state).extension() == ".safetensors") {
    throw InputError(
        "[import] a safetensors file keeps no order, expected names and no --by-order");
  }
  if (choice.by_order && !choice.maps.empty()) {
    throw InputError("[import] --by-order and --map are given, expected one of them");
  }

  std::string report;
  const Graph graph = make_filled(choice, options, read_state(choice.state), report);
  write_onnx(choice.out, graph);
  std::cout << report << "wrote " << choice.out << " (" << std::filesystem::file_size(choice.out)
            << " bytes, " << parameter_count(graph) << " parameters)\n";
  return 0;
}

}  // namespace lastbit
