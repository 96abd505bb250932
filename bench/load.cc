// What loading models takes: reading the file, planning the session, and both, beside a copy of the
// file's bytes. Models are made by `lastbit zoo`.
//
// bench_load [options of Google Benchmark] model.onnx ...

#include <cstddef>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/runtime/session.h"

namespace lastbit {
namespace {

using Path = std::filesystem::path;

void copy_bytes(benchmark::State& state, const Path& path) {
  while (state.KeepRunning()) {
    const MappedFile file(path);
    const std::vector<std::byte> bytes(file.bytes().begin(), file.bytes().end());
    benchmark::DoNotOptimize(bytes.data());
  }
}

void read_graph(benchmark::State& state, const Path& path) {
  while (state.KeepRunning()) benchmark::DoNotOptimize(read_onnx(path).nodes.data());
}

void make_session(benchmark::State& state, const Path& path, Activations activations) {
  const Graph graph = read_onnx(path);
  while (state.KeepRunning()) {
    const Session session(graph, {.activations = activations});
    state.counters["weights_KiB"] = static_cast<double>(session.weight_bytes()) / 1024;
    state.counters["arena_KiB"] = static_cast<double>(session.arena_bytes()) / 1024;
  }
}

void load(benchmark::State& state, const Path& path, Activations activations) {
  while (state.KeepRunning()) {
    const Session session = Session::load(path, {.activations = activations});
    benchmark::DoNotOptimize(session.weight_bytes());
  }
}

void declare(const Path& path) {
  const auto add = [&](const std::string& part, auto function, auto... arguments) {
    benchmark::RegisterBenchmark(
        (path.stem().string() + " " + part).c_str(),
        [=](benchmark::State& state) { function(state, path, arguments...); })
        ->Unit(benchmark::kMillisecond);
  };
  add("copy the file", copy_bytes);
  add("read_onnx", read_graph);
  add("Session float", make_session, Activations::kFloat);
  add("Session int8", make_session, Activations::kInt8);
  add("Session::load float", load, Activations::kFloat);
  add("Session::load int8", load, Activations::kInt8);
}

}  // namespace
}  // namespace lastbit

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc < 2) {
    std::cerr << "bench_load: no model is given, expected files made by `lastbit zoo`\n";
    return 2;
  }
  for (int i = 1; i < argc; ++i) lastbit::declare(argv[i]);
  try {
    benchmark::RunSpecifiedBenchmarks();
  } catch (const lastbit::InputError& error) {
    std::cerr << "bench_load: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
