// Time of one run of the zoo's networks, as floats and with packed weights. Before packed weights
// are timed, their result is compared with that of the same weights decoded to floats. Float
// results are checked by tests/runtime/zoo.cc, not here.

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

// Packed weights must give what their decoded floats give, up to the order of sums. The tolerance
// is a guard against wrong codes, far above rounding.
void check(const Graph& graph, const std::vector<float>& input, std::int64_t batch) {
  Session packed(graph, {.batch = batch});
  Session plain(decoded(graph), {.batch = batch});
  const std::vector<float> a = run_once(packed, input);
  const std::vector<float> b = run_once(plain, input);
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::abs(a[i] - b[i]) <= 1e-4F * (1.0F + std::abs(b[i]))) continue;
    std::cerr << "output " << i << " is " << a[i] << " packed and " << b[i] << " decoded\n";
    std::exit(1);
  }
}

void run_network(benchmark::State& state,
                 const std::string& network,
                 const std::string& set,
                 std::int64_t batch,
                 int threads) {
  const Graph graph =
      set == "float" ? make_network(network, {}) : quantized(make_network(network, {}), set);
  std::vector<float> input(static_cast<std::size_t>(batch) * 784);
  Random random(1);
  for (float& x : input) x = static_cast<float>(random.uniform());
  check(graph, input, batch);

  Session session(graph, {.batch = batch, .threads = threads});
  std::vector<float> output(static_cast<std::size_t>(batch) * 10);
  const std::span<const float> in = input;
  const std::span<float> out = output;
  for (auto _ : state) session.run({&in, 1}, {&out, 1});
  state.SetItemsProcessed(state.iterations() * batch);
  state.SetLabel(best_kernels().name);
  state.counters["weights_KiB"] = static_cast<double>(session.weight_bytes()) / 1024;
  state.counters["arena_KiB"] = static_cast<double>(session.arena_bytes()) / 1024;
}

void declare() {
  for (const std::string network : {"lenet300", "lenet5"}) {
    for (const std::string set : {"float", "ternary/tensor", "binary/channel", "shift:2/tensor"}) {
      for (const std::int64_t batch : {1, 100}) {
        for (const int threads : {1, 2}) {
          if (threads > 1 && batch == 1) continue;
          benchmark::RegisterBenchmark(
              (network + " " + set + " batch:" + std::to_string(batch) +
               " threads:" + std::to_string(threads))
                  .c_str(),
              [=](benchmark::State& state) { run_network(state, network, set, batch, threads); })
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
