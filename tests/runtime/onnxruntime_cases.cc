#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "lastbit/base/text.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/runtime/session.h"
#include "lastbit/zoo/zoo.h"
#include "recurrent.h"

// onnxruntime_cases FOLDER [MODEL...]
//
// Writes networks of recurrent layers and embeddings, detectors, and the models named, each into a
// folder of its own with random inputs and what our runtime makes of them, for
// tests/onnxruntime/check.mjs: model.onnx, case.json and a file of float32 values for each port.

namespace lastbit {
namespace {

using reference::node;
using reference::RecurrentCase;
using Ints = std::vector<std::int64_t>;

void write_floats(const std::filesystem::path& path, const std::vector<float>& values) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size() * sizeof(float)));
}

std::string describe(const std::vector<Port>& ports) {
  std::vector<std::string> texts;
  for (const Port& port : ports) {
    texts.push_back(cat("{\"name\": \"",
                        port.name,
                        "\", \"type\": \"",
                        to_string(port.type),
                        "\", \"shape\": ",
                        to_string(port.shape),
                        "}"));
  }
  return cat("[", join(texts), "]");
}

// @param most  integers of inputs are below it. @param options  sizes of what the graph leaves
// open.
void write_case(const std::filesystem::path& folder,
                const Graph& graph,
                std::uint64_t most,
                const SessionOptions& options = {}) {
  std::filesystem::create_directories(folder);
  write_onnx(folder / "model.onnx", graph);
  Random random(17);
  Session session(graph, options);
  auto inputs = reference::random_inputs(session, random);
  const std::vector<Port> in(session.inputs().begin(), session.inputs().end());
  const std::vector<Port> out(session.outputs().begin(), session.outputs().end());
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i].type != DType::kFloat) {
      for (float& x : inputs[i]) x = static_cast<float>(random.below(most));
    }
    write_floats(folder / cat("input", i), inputs[i]);
  }
  const auto outputs = reference::run(session, inputs);
  for (std::size_t i = 0; i < out.size(); ++i) write_floats(folder / cat("output", i), outputs[i]);
  std::ofstream(folder / "case.json")
      << cat("{\"inputs\": ", describe(in), ", \"outputs\": ", describe(out), "}\n");
}

Graph with_sets(Graph graph, const std::string& set) {
  return set == "float" ? graph : reference::quantized(std::move(graph), set);
}

// Words to the distribution of the next, by two layers; the embedding is the last matrix too.
Graph language_model(Random& random) {
  constexpr std::int64_t kWords = 50;
  constexpr std::int64_t kWidth = 24;
  Graph g;
  const Dim steps = {.size = -1, .symbol = "steps"};
  const Dim batch = {.size = -1, .symbol = "batch"};
  g.inputs = {{.name = "words", .type = DType::kInt64, .dims = {steps, batch}},
              {.name = "h", .dims = {{1}, batch, {kWidth}}},
              {.name = "c", .dims = {{1}, batch, {kWidth}}}};
  reference::add_random(g, "table", {kWords, kWidth}, random);
  reference::add_random(g, "bias", {kWords}, random);
  for (const char* layer : {"1", "2"}) {
    reference::add_random(g, cat("w", layer), {1, 4 * kWidth, kWidth}, random);
    reference::add_random(g, cat("r", layer), {1, 4 * kWidth, kWidth}, random);
    reference::add_random(g, cat("b", layer), {1, 8 * kWidth}, random);
  }
  g.initializers.emplace("one", Tensor::int64s({1}, Ints{1}));
  g.initializers.emplace("rows", Tensor::int64s({2}, Ints{-1, kWidth}));
  const Attribute hidden = kWidth;
  Node first = node("LSTM", {"x", "w1", "r1", "b1", "", "h", "c"}, {{"hidden_size", hidden}}, "y1");
  first.outputs.insert(first.outputs.end(), {"h1", "c1"});
  Node second = node("LSTM", {"x2", "w2", "r2", "b2"}, {{"hidden_size", hidden}}, "y2");
  g.nodes = {node("Gather", {"table", "words"}, {}, "x"),
             first,
             node("Squeeze", {"y1", "one"}, {}, "x2"),
             second,
             node("Reshape", {"y2", "rows"}, {}, "flat"),
             node("Gemm", {"flat", "table", "bias"}, {{"transB", std::int64_t{1}}}, "scores"),
             node("LogSoftmax", {"scores"}, {}, "next")};
  g.outputs = {{.name = "next", .dims = {{.size = -1, .symbol = "all"}, {kWords}}},
               {.name = "h1", .dims = g.inputs[1].dims},
               {.name = "c1", .dims = g.inputs[2].dims}};
  return g;
}

void write_all(const std::filesystem::path& folder, const std::vector<std::string>& models) {
  Random random(5);
  for (const std::string set : {"float",
                                "ternary/tensor",
                                "ternary/channel",
                                "ternary/gate",
                                "binary/tensor",
                                "shift:2/tensor"}) {
    const std::string scale = set.substr(std::min(set.size(), set.find('/')));
    const bool by_gate = scale == "/gate";
    const std::string suffix = cat("-",
                                   set.substr(0, set.find('/')),
                                   by_gate               ? "-gate"
                                   : scale == "/channel" ? "-channel"
                                                         : "");
    for (const char* direction : {"forward", "reverse", "bidirectional"}) {
      for (const RecurrentCase& which :
           {RecurrentCase{.op = "LSTM", .direction = direction, .batch = 3},
            RecurrentCase{.op = "GRU", .direction = direction, .batch = 3},
            RecurrentCase{.op = "GRU", .direction = direction, .batch = 3, .reset_after = true}}) {
        Graph graph = which.graph(random);
        graph.outputs = {
            reference::value("y", {which.steps, which.directions(), which.batch, which.hidden})};
        write_case(folder / cat(which.op, which.reset_after ? "-after-" : "-", direction, suffix),
                   with_sets(std::move(graph), set),
                   1);
      }
    }
    if (by_gate) continue;  // not for embeddings
    write_case(folder / cat("language-model", suffix),
               with_sets(language_model(random), set),
               50,
               {.sizes = {{"steps", 6}, {"batch", 3}}});
    for (const char* name : {"lstm-lm", "gru-lm", "char-lstm"}) {
      for (const bool tied : {false, true}) {
        const Graph graph = make_network(name, {.words = 300, .units = 48, .tied = tied});
        write_case(folder / cat(name, tied ? "-tied" : "", suffix),
                   with_sets(graph, set),
                   300,
                   {.sizes = {{"steps", 5}, {"batch", 2}}});
      }
    }
  }
  for (const Architecture& detector : architectures()) {
    if (detector.kind != NetworkKind::kDetector) continue;
    const ZooOptions options{.input = {3, detector.side, detector.side}, .classes = 3, .seed = 7};
    const Graph graph = make_network(detector.name, options);
    for (const char* set : {"float", "ternary/channel", "shift:2/tensor"}) {
      const std::string suffix = std::string(set).substr(0, std::string(set).find('/'));
      write_case(folder / cat(detector.name, "-", suffix.substr(0, suffix.find(':'))),
                 with_sets(graph, set),
                 1);
    }
  }
  for (const std::string& model : models) {
    write_case(folder / std::filesystem::path(model).stem(), read_onnx(model), 1);
  }
}

}  // namespace
}  // namespace lastbit

int main(int argc, char** argv) {
  try {
    if (argc < 2) throw std::invalid_argument("usage: onnxruntime_cases FOLDER [MODEL...]");
    lastbit::write_all(argv[1], std::vector<std::string>(argv + 2, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "onnxruntime_cases: %s\n", error.what());
    return 2;
  }
  return 0;
}
