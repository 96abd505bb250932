// Time of one run of the zoo's networks, as floats and with packed weights. Before anything is
// timed, its result is compared with that of the scalar kernels on the weights as floats.

#include <cmath>
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "lastbit/base/random.h"
#include "lastbit/graph/graph.h"
#include "lastbit/quant/projector.h"
#include "lastbit/runtime/kernels/kernel_set.h"
#include "lastbit/runtime/session.h"
#include "lastbit/zoo/zoo.h"

namespace lastbit {
namespace {

Graph quantized(Graph graph, const std::string& set) {
  const auto projector = parse_projector(set);
  for (const WeightUse& use : lowbit_candidates(graph)) {
    Initializer& initializer = graph.initializers.find(use.initializer)->second;
    const Tensor weights = decode(initializer);
    const Quantized projected =
        projector->project(weights.as_floats(), channel_layout(weights.shape(), use.channel_axis));
    initializer = pack_lowbit(projected, weights.shape(), use.channel_axis, set);
  }
  return graph;
}

Graph decoded(Graph graph) {
  for (auto& [name, initializer] : graph.initializers) initializer = decode(initializer);
  return graph;
}

std::vector<float> run_once(Session& session, const std::vector<float>& input) {
  std::vector<float> output(static_cast<std::size_t>(element_count(session.outputs()[0].shape)));
  const std::span<const float> in = input;
  const std::span<float> out = output;
  session.run({&in, 1}, {&out, 1});
  return output;
}

struct Case {
  std::string network;
  std::string set;
  std::int64_t batch;
  int threads;
  bool checked = false;  // the program calls a case several times

  std::string name() const {
    return network + " " + set + " batch:" + std::to_string(batch) +
           " threads:" + std::to_string(threads);
  }
};

// Compares `output` with the definition of the kernels. Sums differ in order alone; the tolerance
// is a guard against wrong codes, far above rounding.
void check(const Graph& graph,
           std::int64_t batch,
           const std::vector<float>& input,
           const std::vector<float>& output) {
  Session scalar(decoded(graph), {.batch = batch, .kernels = "scalar"});
  const std::vector<float> expected = run_once(scalar, input);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (std::abs(output[i] - expected[i]) <= 1e-4F * (1.0F + std::abs(expected[i]))) continue;
    std::cerr << "output " << i << " is " << output[i] << ", expected " << expected[i] << "\n";
    std::exit(1);
  }
}

void run_case(benchmark::State& state, Case& test) {
  const Graph floats = make_network(test.network, {});
  const Graph graph = test.set == "float" ? floats : quantized(floats, test.set);
  std::vector<float> input(static_cast<std::size_t>(test.batch) * 784);
  Random random(1);
  for (float& x : input) x = static_cast<float>(random.uniform());

  Session session(graph, {.batch = test.batch, .threads = test.threads});
  std::vector<float> output = run_once(session, input);
  if (!test.checked) check(graph, test.batch, input, output);
  test.checked = true;

  const std::span<const float> in = input;
  const std::span<float> out = output;
  while (state.KeepRunning()) session.run({&in, 1}, {&out, 1});
  state.SetItemsProcessed(state.iterations() * test.batch);
  state.SetLabel(runnable_kernels().front()->name);
  state.counters["weights_KiB"] = static_cast<double>(session.weight_bytes()) / 1024;
  state.counters["arena_KiB"] = static_cast<double>(session.arena_bytes()) / 1024;
}

void declare() {
  for (const std::string network : {"lenet300", "lenet5"}) {
    for (const std::string set : {"float", "ternary/tensor", "binary/channel", "shift:2/tensor"}) {
      for (const std::int64_t batch : {1, 100}) {
        for (const int threads : {1, 2}) {
          if (threads > 1 && batch == 1) continue;
          Case test{network, set, batch, threads};
          benchmark::RegisterBenchmark(
              test.name().c_str(),
              [test](benchmark::State& state) mutable { run_case(state, test); })
              ->Unit(benchmark::kMicrosecond)
              ->UseRealTime();
        }
      }
    }
  }
}

}  // namespace
}  // namespace lastbit

int main(int argc, char** argv) {
  lastbit::declare();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
